"use strict";
// Accuracy against cost: a scatter of the rows on a logarithmic axis, their front, and names that keep apart.
function makeChart(plot, { points, budget, chosen }) {
  const tip = Object.assign(document.createElement("div"), { id: "tip", role: "tooltip", hidden: true });
  const engines = [...new Set(points.map((point) => point.engine))];
  const EQUAL = 0.001;
  const BUDGET_AXIS = { fps: "fps", max_age: "age_p95" };

  function shape(parent, point) {
    const paths = [
      "M-6 0A6 6 0 1 0 6 0A6 6 0 1 0-6 0Z",
      "M-5.2-5.2H5.2V5.2H-5.2Z",
      "M0-7.4L7.4 0L0 7.4L-7.4 0Z",
      "M0-6.8L6.8 5.2H-6.8Z",
      "M-6.8-5.2H6.8L0 6.8Z",
      "M-2.2-6.5H2.2V-2.2H6.5V2.2H2.2V6.5H-2.2V2.2H-6.5V-2.2H-2.2Z",
    ];
    const engine = Math.min(2, engines.indexOf(point.engine));
    const mark = draw(parent, "g", { class: `m${point.colour} e${engine}` });
    draw(mark, "path", { class: "mark-shape", d: paths[point.shape] });
    if (engine === 2) draw(mark, "circle", { class: "dot", r: 2.2 });
  }

  // ---------------------------------------------------------------- the frame of the chart

  function logTicks(low, high) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const digit of [1, 2, 3, 5, 7]) ticks.push(digit * 10 ** power);
    const inside = ticks.filter((tick) => tick >= low && tick <= high);
    const coarse = inside.filter((tick) => /^[125]/.test(tick.toExponential()));
    return coarse.length >= 3 ? coarse : inside;
  }

  function linearTicks(low, high, wanted) {
    const rough = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((digit) => digit * power >= rough);
    const ticks = [];
    for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
    return ticks;
  }

  // Cheapest first; what is dearer must be more accurate by a tenth of a point, as in budget.py.
  function frontOf(shown, axis) {
    const cost = (point) => (axis.more ? -1 : 1) * point.x[axis.key][0];
    const front = [];
    for (const point of [...shown].sort((p, q) => cost(p) - cost(q) || q.y[0] - p.y[0])) {
      if (!front.length || point.y[0] >= front.at(-1).y[0] + EQUAL) front.push(point);
    }
    return front;
  }

  function scales(shown, axis, width, height) {
    const xs = shown.flatMap((point) => point.x[axis.key]);
    const ys = shown.flatMap((point) => point.y);
    const room = Math.max(0.02, 0.18 * (Math.max(...ys) - Math.min(...ys)));
    const box = { left: 52, right: width - 18, top: 26, bottom: height - 50 };
    const [x0, x1] = [Math.min(...xs) / 1.35, Math.max(...xs) * 1.35];
    const [y0, y1] = [Math.max(0, Math.min(...ys) - room), Math.min(1, Math.max(...ys) + room)];
    return {
      ...box, x0, x1, y0, y1,
      x: (value) => box.left + (Math.log(value / x0) / Math.log(x1 / x0)) * (box.right - box.left),
      y: (value) => box.bottom - ((value - y0) / (y1 - y0)) * (box.bottom - box.top),
    };
  }

  function drawAxes(svg, axis, scale, judged) {
    for (const tick of logTicks(scale.x0, scale.x1)) {
      const x = scale.x(tick);
      draw(svg, "line", { class: "grid", x1: x, x2: x, y1: scale.top, y2: scale.bottom });
      draw(svg, "text", { x, y: scale.bottom + 17, "text-anchor": "middle" }, String(+tick.toPrecision(3)));
    }
    for (const tick of linearTicks(scale.y0, scale.y1, 5)) {
      const y = scale.y(tick);
      draw(svg, "line", { class: "grid", x1: scale.left, x2: scale.right, y1: y, y2: y });
      draw(svg, "text", { x: scale.left - 8, y: y + 4, "text-anchor": "end" }, +tick.toFixed(3));
    }
    const name = axis.name.endsWith(axis.unit) || axis.name.startsWith(axis.unit) ? axis.name : `${axis.name}, ${axis.unit}`;
    const way = axis.more ? `${name} (log) → faster` : `less is better ← ${name} (log)`;
    const [x, anchor] = axis.more ? [scale.right, "end"] : [scale.left, "start"];
    draw(svg, "text", { class: "axis", x, y: scale.bottom + 38, "text-anchor": anchor }, way);
    draw(svg, "text", { class: "axis", x: 12, y: 17 }, `↑ ${judged}`);
  }

  const budgetKey = (axis) => Object.keys(BUDGET_AXIS).find((name) => name in budget && BUDGET_AXIS[name] === axis.key);

  function drawBudget(svg, axis, scale) {
    const names = [];
    const key = budgetKey(axis);
    if (key && budget[key] > scale.x0 && budget[key] < scale.x1) {
      const x = scale.x(budget[key]);
      const [from, to] = axis.more ? [scale.left, x] : [x, scale.right];
      draw(svg, "rect", { class: "outside", x: from, y: scale.top, width: to - from, height: scale.bottom - scale.top });
      draw(svg, "line", { class: "budget", x1: x, x2: x, y1: scale.top, y2: scale.bottom });
      const side = axis.more ? { x: x + 5, "text-anchor": "start" } : { x: x - 5, "text-anchor": "end" };
      names.push(draw(svg, "text", { class: "budget-name", ...side, y: scale.bottom - 7 }, `asked: ${budget[key]} ${axis.unit}`));
    }
    const least = budget.min_miou;
    if (least > scale.y0 && least < scale.y1) {
      const y = scale.y(least);
      draw(svg, "rect", { class: "outside", x: scale.left, y, width: scale.right - scale.left, height: scale.bottom - y });
      draw(svg, "line", { class: "budget", x1: scale.left, x2: scale.right, y1: y, y2: y });
      names.push(draw(svg, "text", { class: "budget-name", x: scale.left + 5, y: y - 5 }, `asked: ${least}`));
    }
    return names.map((name) => {
      const { x, y, width, height } = name.getBBox();
      return { left: x, right: x + width, top: y, bottom: y + height };
    });
  }

  function drawFront(svg, front, axis, scale) {
    // A step line: between two members nothing was measured, so nothing is claimed.
    const marks = front.map((point) => [scale.x(point.x[axis.key][0]), scale.y(point.y[0])]);
    if (marks.length) draw(svg, "path", { class: "front", d: marks.map(([x, y], i) => (i ? `H${x}V${y}` : `M${x} ${y}`)).join("") });
  }

  function drawPoint(svg, point, axis, scale) {
    const [x, y] = [scale.x(point.x[axis.key][0]), scale.y(point.y[0])];
    const told = [...point.label, ...point.details.map(([name, value]) => `${name} ${value}`)].join(", ");
    const mark = draw(svg, "g", {
      class: `point m${point.colour}${point.id === chosen ? " chosen" : ""}`,
      role: "img", tabindex: -1, "aria-label": told, "data-id": point.id,
    });
    const [[, left, right], [, low, high]] = [point.x[axis.key], point.y];
    draw(mark, "line", { class: "bar-line", x1: scale.x(left), x2: scale.x(right), y1: y, y2: y });
    draw(mark, "line", { class: "bar-line", x1: x, x2: x, y1: scale.y(low), y2: scale.y(high) });
    const place = draw(mark, "g", { transform: `translate(${x} ${y})` });
    draw(place, "circle", { r: 18, fill: "transparent" });
    draw(place, "circle", { class: "ring", r: 12 });
    shape(place, point);
    const tell = () => showTip(point, mark, x, y);
    mark.addEventListener("pointerenter", tell);
    mark.addEventListener("focus", tell);
    mark.addEventListener("pointerleave", () => document.activeElement === mark || hideTip());
    mark.addEventListener("blur", hideTip);
    return mark;
  }

  function steer(marks) {
    // One stop for the tabulator; arrows go on from there.
    if (marks.length) marks[0].setAttribute("tabindex", 0);
    marks.forEach((mark, place) =>
      mark.addEventListener("keydown", (event) => {
        if (event.key === "Escape") hideTip();
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = marks[(place + step + marks.length) % marks.length];
        mark.setAttribute("tabindex", -1);
        next.setAttribute("tabindex", 0);
        next.focus();
      }),
    );
  }

  function show(rows, axis, judged) {
    hideTip();
    plot.replaceChildren(tip);
    const width = Math.max(280, plot.clientWidth);
    const height = Math.round(Math.min(540, Math.max(400, width * 0.5)));
    const shown = axis ? rows.filter((point) => point.y && point.x[axis.key]) : [];
    const svg = draw(plot, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${judged} against cost` });
    const front = shown.length ? frontOf(shown, axis) : [];
    nameFront(front);
    if (!shown.length) {
      draw(svg, "text", { class: "empty", x: width / 2, y: height / 2 }, "No measured row is left: switch something on.");
      return;
    }
    const scale = scales(shown, axis, width, height);
    drawAxes(svg, axis, scale, judged);
    const absent = rows.length - shown.length;
    if (absent) draw(svg, "text", { x: scale.right, y: 17, "text-anchor": "end" }, `${absent} not measured`);
    const asked = drawBudget(svg, axis, scale);
    drawFront(svg, front, axis, scale);
    const tags = draw(svg, "g", { "aria-hidden": "true" });
    const ordered = [...shown].sort((p, q) => p.x[axis.key][0] - q.x[axis.key][0]);
    steer(ordered.map((point) => drawPoint(svg, point, axis, scale)));
    nameAll(tags, shown, front, axis, scale, asked);
  }

  function nameFront(front) {
    const list = document.getElementById("front");
    list.replaceChildren();
    for (const point of front) {
      const item = build(list, "li");
      build(item, "span", { className: "model", textContent: point.label[0] });
      item.append(" ");
      build(item, "span", { className: "kind", textContent: point.label[1] });
    }
  }

  // ---------------------------------------------------------------- names that do not collide

  function linesOf(front, axis, scale) {
    // The front's steps and the budget's line as boxes: names keep off them too.
    const most = budget[budgetKey(axis)];
    const line = most ? [{ left: scale.x(most) - 1, right: scale.x(most) + 1, top: scale.top, bottom: scale.bottom }] : [];
    if (budget.min_miou) line.push({ left: scale.left, right: scale.right, top: scale.y(budget.min_miou) - 1, bottom: scale.y(budget.min_miou) + 1 });
    const steps = front.slice(1).flatMap((point, i) => {
      const [x, y] = [scale.x(point.x[axis.key][0]), scale.y(point.y[0])];
      const [before, above] = [scale.x(front[i].x[axis.key][0]), scale.y(front[i].y[0])];
      return [
        { left: Math.min(x, before), right: Math.max(x, before), top: above - 1, bottom: above + 1 },
        { left: x - 1, right: x + 1, top: Math.min(y, above), bottom: Math.max(y, above) },
      ];
    });
    return line.concat(steps);
  }

  function nameAll(tags, shown, front, axis, scale, asked) {
    const taken = asked.concat(shown.map((point) => {
      const [x, y] = [scale.x(point.x[axis.key][0]), scale.y(point.y[0])];
      return { left: x - 10, right: x + 10, top: y - 10, bottom: y + 10 };
    }));
    const bars = linesOf(front, axis, scale).concat(shown.flatMap((point) => {
      const [[cx, left, right], [cy, low, high]] = [point.x[axis.key], point.y];
      const [x, y] = [scale.x(cx), scale.y(cy)];
      return [
        { left: x - 1, right: x + 1, top: scale.y(high), bottom: scale.y(low) },
        { left: scale.x(left), right: scale.x(right), top: y - 1, bottom: y + 1 },
      ];
    }));
    const others = shown.filter((point) => !front.includes(point));
    const roomy = scale.right - scale.left > 560;
    for (const point of [...front, ...others]) {
      const number = front.indexOf(point) + 1;
      const [x, y] = [scale.x(point.x[axis.key][0]), scale.y(point.y[0])];
      const at = { x, y, must: number > 0, taken, bars, scale };
      const [name, kind] = point.label;
      const place =
        (roomy && nameOne(tags, number ? `${number}  ${name}` : name, kind, at)) || (number && nameOne(tags, `${number}`, "", at));
      if (place) taken.push(place);
    }
  }

  // ---------------------------------------------------------------- the details of a point

  function showTip(point, mark, x, y) {
    hideTip();
    for (const text of point.label) build(tip, "p", { textContent: text });
    const list = build(tip, "dl");
    for (const [name, value] of point.details) {
      build(list, "dt", { textContent: name });
      build(list, "dd", { textContent: value });
    }
    tip.hidden = false;
    mark.classList.add("told");
    tellRows(point);
    const left = x + 22 + tip.offsetWidth <= plot.clientWidth ? x + 22 : x - 22 - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(left, plot.clientWidth - tip.offsetWidth))}px`;
    const fits = left >= 0;
    tip.style.top = `${fits ? Math.max(4, y - tip.offsetHeight / 2) : y + 22}px`;
  }

  function hideTip() {
    tip.hidden = true;
    tip.replaceChildren();
    for (const told of document.querySelectorAll(".told")) told.classList.remove("told");
  }

  function tellRows(point) {
    for (const row of document.querySelectorAll(`tr[data-row="${points.indexOf(point)}"]`)) row.classList.add("told");
  }

  return { show, shape, engines };
}
