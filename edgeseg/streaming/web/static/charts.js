// Charts of the last twenty seconds, each on a canvas of its own.

const SECONDS = 20;
const STEP_MS = 200;

/** Numbers over time, series by name. */
export class History {
  constructor() {
    this.reset();
  }

  /** values: name -> number. */
  add(values) {
    const time = performance.now();
    for (const name of Object.keys(values)) if (!this.series.includes(name)) this.series.push(name);
    const last = this.points.at(-1);
    // What comes within one step is averaged: a chart has no more pixels than that.
    if (last && time - last.time < STEP_MS) {
      last.count++;
      for (const [name, value] of Object.entries(values)) {
        const before = last.values[name] ?? value;
        last.values[name] = before + (value - before) / last.count;
      }
    } else {
      this.points.push({ time, count: 1, values: { ...values } });
    }
    const begin = time - SECONDS * 1000 - STEP_MS;
    while (this.points[0].time < begin) this.points.shift();
  }

  reset() {
    this.points = []; // {time, count, values}
    this.series = [];
  }

  latest(name) {
    const recent = this.points.slice(-5).map(({ values }) => values[name]).filter((value) => value !== undefined);
    return recent.length ? recent.reduce((sum, value) => sum + value, 0) / recent.length : 0;
  }
}

/** A history, drawn as one line, or as areas upon each other. */
export class Chart {
  /** unit: for what is said of the chart. colours: CSS variables, one a series in turn. floor: the least top of the scale. */
  constructor(canvas, { title, unit, colours, floor, stacked = false }) {
    Object.assign(this, { canvas, title, unit, colours, floor, stacked });
    this.history = new History();
  }

  colour(name) {
    return `var(${this.colours[this.history.series.indexOf(name) % this.colours.length]})`;
  }

  draw() {
    const { canvas, history: { series, points } } = this;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const totals = points.map(({ values }) => series.reduce((sum, name) => sum + (values[name] ?? 0), 0));
    const top = round(Math.max(this.floor, ...totals) * 1.1);
    const now = performance.now();
    const x = (time) => width - ((now - time) / (SECONDS * 1000)) * width;
    const y = (value) => height - 1 - (value / top) * (height - 16);
    const marks = [top / 2, top];
    lines(context, style.getPropertyValue("--grid").trim(), width, marks.map(y));
    let below = points.map(() => 0);
    series.forEach((name, at) => {
      const upper = points.map(({ values }, i) => below[i] + (values[name] ?? 0));
      const colour = style.getPropertyValue(this.colours[at % this.colours.length]).trim();
      area(context, points, upper, below, x, y, colour, this.stacked ? 0.78 : 0.16);
      if (!this.stacked) line(context, points, upper, x, y, colour);
      if (this.stacked) below = upper;
    });
    context.font = `11px ${style.fontFamily}`;
    context.textBaseline = "bottom";
    context.fillStyle = style.getPropertyValue("--soft").trim();
    for (const mark of marks) context.fillText(String(mark), 0, y(mark) - 1);
  }

  /** Says in words what the chart shows, for those who can't see it. */
  describe() {
    const { history, unit } = this;
    const said = history.series.map((name) => `${this.stacked ? `${name} ` : ""}${history.latest(name).toFixed(1)} ${unit}`);
    this.canvas.setAttribute("aria-label", `${this.title}, last ${SECONDS} seconds: now ${said.join(", ") || "nothing yet"}`);
  }
}

function lines(context, colour, width, heights) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (const height of heights) {
    context.moveTo(0, Math.round(height) + 0.5);
    context.lineTo(width, Math.round(height) + 0.5);
  }
  context.stroke();
}

function area(context, points, upper, below, x, y, colour, opacity) {
  if (points.length < 2) return;
  context.globalAlpha = opacity;
  context.fillStyle = colour;
  context.beginPath();
  points.forEach(({ time }, i) => context.lineTo(x(time), y(upper[i])));
  for (let i = points.length - 1; i >= 0; i--) context.lineTo(x(points[i].time), y(below[i]));
  context.fill();
  context.globalAlpha = 1;
}

function line(context, points, values, x, y, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.beginPath();
  points.forEach(({ time }, i) => context.lineTo(x(time), y(values[i])));
  context.stroke();
}

/** The next of 1, 1.6, 2, 3, 4, 5, 6, 8, 10, 16, ... */
function round(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return Math.round([1, 1.6, 2, 3, 4, 5, 6, 8, 10].find((step) => step * ten >= value) * ten * 10) / 10;
}
