// What a person adds to the picture: the pointer that names what it is on, and the thing that is followed.

const STEP = 0.02;
const TRAIL = 90; // points
const LOST_MS = 3000;

export class Marks {
  /** picture: a Picture. on.follow(thing, name) is called when a thing is chosen, on.lost() when it is gone. */
  constructor(canvas, probe, picture, on) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.probe = probe;
    this.picture = picture;
    this.on = on;
    this.place = null; // of the pointer, in 0..1
    this.listen();
  }

  listen() {
    const { canvas } = this;
    const place = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      return { x: (clientX - box.left) / box.width, y: (clientY - box.top) / box.height };
    };
    canvas.addEventListener("pointermove", (event) => this.point(place(event), false));
    canvas.addEventListener("pointerdown", (event) => this.point(place(event), false));
    canvas.addEventListener("pointerleave", ({ pointerType }) => { if (pointerType === "mouse") this.point(null); });
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("click", (event) => { this.point(place(event), false); this.choose(); });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (step) {
      const { x, y } = this.place ?? { x: 0.5, y: 0.5 };
      const within = (value) => Math.min(0.99, Math.max(0.01, value));
      this.point({ x: within(x + step[0]), y: within(y + step[1]) }, true);
    } else if (event.key === "Enter" && this.place) {
      this.choose();
    } else if (event.key === "Escape" && (this.place || this.picture.followed !== null)) {
      this.point(null);
      this.follow(null);
    } else {
      return;
    }
    event.preventDefault();
  }

  point(place, cross = false) {
    this.place = place;
    this.cross = cross;
    this.draw();
  }

  choose() {
    const seen = this.place && this.picture.at(this.place.x, this.place.y);
    if (seen?.thing) this.follow(seen.thing.id === this.picture.followed ? null : seen.thing, seen.name);
  }

  /** Follows a thing, or none. */
  follow(thing, name) {
    if (thing && thing.id === null) return;
    this.picture.followed = thing?.id ?? null;
    this.picture.colour();
    this.trail = [];
    this.seen = performance.now();
    this.on.follow(thing, name);
    this.draw();
  }

  draw() {
    const { canvas, context, picture } = this;
    const { width, height } = canvas.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    if (!picture.header) return;
    context.scale(scale, scale);
    this.name(width, height);
    if (this.picture.followed !== null) this.drawFollowed(width / picture.header.width, height / picture.header.height);
    if (this.place && this.cross) this.drawCross(this.place.x * width, this.place.y * height);
  }

  name(width, height) {
    const seen = this.place && this.picture.at(this.place.x, this.place.y);
    this.probe.hidden = !seen;
    if (!seen) return;
    const said = title(seen);
    if (this.probe.textContent !== said) this.probe.textContent = said;
    const { style } = this.probe;
    style.setProperty("--colour", `rgb(${seen.colour})`);
    style.left = `${Math.min(this.place.x * width + 14, width - this.probe.offsetWidth - 6)}px`;
    style.top = `${Math.min(this.place.y * height + 16, height - this.probe.offsetHeight - 6)}px`;
  }

  drawFollowed(sx, sy) {
    const thing = this.picture.header.things?.find(({ id }) => id === this.picture.followed);
    if (thing) {
      this.seen = performance.now();
    } else if (performance.now() - this.seen > LOST_MS) {
      this.picture.followed = null;
      this.on.lost();
      return;
    } else {
      return;
    }
    const [x0, y0, x1, y1] = [thing.box[0] * sx, thing.box[1] * sy, thing.box[2] * sx, thing.box[3] * sy];
    const last = this.trail.at(-1);
    if (last?.index !== this.picture.header.index) {
      this.trail.push({ x: (x0 + x1) / 2 / sx, y: y1 / sy, index: this.picture.header.index });
      this.trail.splice(0, this.trail.length - TRAIL);
    }
    const { context } = this;
    context.lineJoin = context.lineCap = "round";
    for (const [style, thick] of [["rgb(0 0 0 / 55%)", 5], [`rgb(${thing.colour})`, 2.5]]) {
      context.strokeStyle = style;
      context.lineWidth = thick;
      context.beginPath();
      this.trail.forEach(({ x, y }, at) => context[at ? "lineTo" : "moveTo"](x * sx, y * sy));
      corners(context, x0, y0, x1, y1);
      context.stroke();
    }
  }

  drawCross(x, y) {
    const { context } = this;
    for (const [style, thick] of [["#000c", 4], ["#fff", 2]]) {
      context.strokeStyle = style;
      context.lineWidth = thick;
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.moveTo(x - 14, y); context.lineTo(x - 4, y);
      context.moveTo(x + 4, y); context.lineTo(x + 14, y);
      context.moveTo(x, y - 14); context.lineTo(x, y - 4);
      context.moveTo(x, y + 4); context.lineTo(x, y + 14);
      context.stroke();
    }
  }
}

/** What to call what is seen: "car", "car 12", "car 12, 93 %". */
export function title({ name, thing }) {
  if (!thing) return name;
  return `${name}${thing.id === null ? "" : ` ${thing.id}`}, ${Math.round(thing.score * 100)}\u202f%`;
}

function corners(context, x0, y0, x1, y1) {
  const arm = Math.min(18, (x1 - x0) / 3, (y1 - y0) / 3);
  for (const [x, y, dx, dy] of [[x0, y0, 1, 1], [x1, y0, -1, 1], [x1, y1, -1, -1], [x0, y1, 1, -1]]) {
    context.moveTo(x + dx * arm, y);
    context.lineTo(x, y);
    context.lineTo(x, y + dy * arm);
  }
}
