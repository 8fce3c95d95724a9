"use strict";
// Making elements, and finding places for names where nothing is.

const HALO = 2;

function draw(parent, tag, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function build(parent, tag, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  parent.append(made);
  return made;
}

function nameOne(tags, name, kind, at) {
  const tag = draw(tags, "g", { class: at.must ? "tag" : "tag aside" });
  draw(tag, "text", { class: "first" }, name.length > 40 ? `${name.slice(0, 39)}…` : name);
  if (kind) draw(tag, "text", { y: 14 }, kind);
  // The halo around the letters is no part of their box.
  const { x: left, y: top, width, height } = tag.getBBox();
  const place = freePlace(at, width + 2 * HALO, height + 2 * HALO);
  if (!place) {
    tag.remove();
    return null;
  }
  tag.setAttribute("transform", `translate(${place.left + HALO - left} ${place.top + HALO - top})`);
  if (place.far) {
    const [x, y] = [Math.min(Math.max(at.x, place.left), place.right), Math.min(Math.max(at.y, place.top), place.bottom)];
    draw(tags, "line", { class: "leader", x1: at.x, y1: at.y, x2: x, y2: y });
  }
  return place;
}

function freePlace({ x, y, must, taken, bars, scale }, w, h) {
  const overlap = (a, b) =>
    Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) * Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  let best = null;
  for (const gap of must ? [14, 26, 44, 66, 92, 120] : [14, 26]) {
    const spots = [
      [x + gap, y - gap - h + 6], [x - gap - w, y - gap - h + 6], [x + gap, y + gap - 6], [x - gap - w, y + gap - 6],
      [x + gap, y - h / 2], [x - gap - w, y - h / 2], [x - w / 2, y - gap - h], [x - w / 2, y + gap],
    ];
    for (const [left, top] of spots) {
      const box = { left, top, right: left + w, bottom: top + h, far: gap > 26 };
      if (left < scale.left + 2 || box.right > scale.right || top < scale.top - 4 || box.bottom > scale.bottom - 4) continue;
      const hard = taken.reduce((sum, other) => sum + overlap(box, other), 0);
      const soft = bars.reduce((sum, other) => sum + overlap(box, other), 0);
      const cost = soft * 4 + gap * 6;
      if (!must && soft) continue;
      if (!hard && (!best || cost < best.cost)) best = { ...box, cost };
    }
  }
  return best;
}
