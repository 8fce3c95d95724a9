// The lists beside the picture: model, classes, things, stages, and what became of the frames.

export const byId = (id) => document.getElementById(id);

/** Makes an element with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

function swatch(colour) {
  const element = make("i", { className: "swatch" });
  element.style.setProperty("--colour", colour);
  return element;
}

/** Sets a text, unless it stands there already: a screen reader would be told again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const percent = (share) => `${share >= 0.0995 ? Math.round(share * 100) : (share * 100).toFixed(1)}\u202f%`;
const count = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");

/** The classes of the model, each with a switch and the share of the picture that it has. */
export class Classes {
  /** recolour: called when another set of classes is to be seen. */
  constructor(picture, recolour) {
    Object.assign(this, { picture, recolour });
    this.list = byId("classes").querySelector("ul");
    byId("all").onclick = () => this.set(true);
    byId("none").onclick = () => this.set(false);
  }

  show(look) {
    this.rows = look.classes.map((name, label) => {
      const box = make("input", { type: "checkbox", checked: !this.picture.taste.hidden.has(name) });
      box.onchange = () => { this.toggle(name, box.checked); this.recolour(); };
      const share = make("output"), bar = make("b", { className: "bar" });
      const row = make("label", {}, box, swatch(`rgb(${look.palette[label]})`), make("span", { textContent: name }), share, bar);
      row.style.setProperty("--colour", `rgb(${look.palette[label]})`);
      return { name, label, box, share, bar, row };
    });
    this.list.replaceChildren(...this.rows.map(({ row }) => make("li", {}, row)));
  }

  toggle(name, on) {
    this.picture.taste.hidden[on ? "delete" : "add"](name);
  }

  set(on) {
    for (const { name, box } of this.rows ?? []) {
      box.checked = on;
      this.toggle(name, on);
    }
    this.recolour();
  }

  refresh() {
    const { header, counts } = this.picture;
    if (!header || !this.rows) return;
    const total = header.map[0] * header.map[1];
    for (const { label, share, bar } of this.rows) {
      const entries = header.things ? header.things.flatMap((thing, entry) => (thing.label === label ? [entry] : [])) : [label];
      const part = entries.reduce((sum, entry) => sum + counts[entry], 0) / total;
      say(share, header.things ? (entries.length ? String(entries.length) : "") : part ? percent(part) : "");
      bar.style.setProperty("--part", part.toFixed(4));
    }
  }
}

/** The things that an instance model sees now, as buttons that follow them. */
export class Things {
  constructor(picture, marks, title) {
    Object.assign(this, { picture, marks, title });
    this.section = byId("things");
    this.rows = new Map();
  }

  refresh() {
    const { header, look } = this.picture;
    const things = header?.things;
    document.body.classList.toggle("has-things", Boolean(things));
    this.section.hidden = !things;
    if (!things || !look) return;
    const known = things.filter(({ id }) => id !== null).sort((a, b) => a.id - b.id);
    say(this.section.querySelector("h2 span"), String(things.length));
    // Buttons stay the same elements from one refresh to the next, else the focus would be lost.
    const kept = new Map();
    for (const thing of known) {
      const row = this.rows.get(thing.id) ?? this.button();
      row.thing = thing;
      row.name = look.classes[thing.label];
      say(row.text, this.title({ name: row.name, thing }));
      row.swatch.style.setProperty("--colour", `rgb(${thing.colour})`);
      row.button.setAttribute("aria-pressed", String(this.picture.followed === thing.id));
      kept.set(thing.id, row);
    }
    for (const [id, { item }] of this.rows) if (!kept.has(id)) item.remove();
    const list = this.section.querySelector("ul");
    for (const [id, { item }] of kept) if (!this.rows.has(id)) list.append(item);
    this.rows = kept;
  }

  button() {
    const row = { text: make("span"), swatch: swatch("") };
    row.button = make("button", { type: "button" }, row.swatch, row.text);
    row.button.onclick = () => this.marks.follow(this.picture.followed === row.thing.id ? null : row.thing, row.name);
    row.item = make("li", {}, row.button);
    return row;
  }
}

/** Network and precision, and the button that switches to what is chosen. */
export class Models {
  constructor(send) {
    this.model = byId("model");
    this.precision = byId("precision");
    this.button = byId("switch");
    this.model.onchange = () => { this.offerPrecisions(); this.compare(); };
    this.precision.onchange = () => this.compare();
    byId("models").querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      send({ kind: "switch", model: this.model.value, precision: this.precision.value });
    };
  }

  show(status) {
    const { engine } = status;
    byId("models").querySelector("form").hidden = !status.models?.length;
    const threads = `${engine.threads} thread${engine.threads === 1 ? "" : "s"}`;
    say(byId("engine"), `${status.model}, ${engine.precision} on ${engine.name}, ${threads}, ${engine.device}`);
    const offered = JSON.stringify(status.models);
    const current = `${status.model} ${engine.precision}`;
    if (offered !== this.offered || current !== this.current) {
      this.offered = offered;
      this.current = current;
      this.models = status.models ?? [];
      this.model.replaceChildren(...this.models.map(({ name }) => new Option(name, name)));
      this.model.value = status.model;
      this.offerPrecisions();
      this.precision.value = engine.precision;
    }
    this.busy = status.busy;
    say(this.button, status.busy ? "Opening" : "Switch");
    this.compare();
  }

  offerPrecisions() {
    const chosen = this.models.find(({ name }) => name === this.model.value);
    const before = this.precision.value;
    this.precision.replaceChildren(...(chosen?.precisions ?? []).map((name) => new Option(name, name)));
    if (chosen?.precisions.includes(before)) this.precision.value = before;
  }

  compare() {
    this.button.disabled = this.busy || !this.precision.value || `${this.model.value} ${this.precision.value}` === this.current;
  }
}

/** What became of every captured frame, as one bar and in words. */
export function showLedger(status) {
  say(byId("delivered"), count(status.delivered));
  say(byId("captured"), count(status.captured));
  const parts = [
    ["delivered", status.delivered, "--good"],
    ...Object.entries(status.dropped).map(([reason, number], at) => [reason, number, `--series-${2 + (at % 4)}`]),
    ...(status.failed ? [["failed", status.failed, "--bad"]] : []),
  ];
  const total = parts.reduce((sum, [, number]) => sum + number, 0) || 1;
  byId("ledger").replaceChildren(...parts.map(([, number, colour]) => {
    const part = make("i");
    part.style.setProperty("--colour", `var(${colour})`);
    part.style.setProperty("--part", number / total);
    return part;
  }));
  const rows = parts.slice(1).map(([reason, number, colour]) => [`${reason === "failed" ? "" : "dropped: "}${reason}`, number, `var(${colour})`]);
  if (!rows.length) rows.push(["none dropped, none failed", null, "var(--good)"]);
  if (status.yours.dropped) rows.push(["not sent to you: this page is slower", status.yours.dropped, "var(--faint)"]);
  list(byId("drops"), rows.map(([name, number, colour]) => [name, number === null ? "" : count(number), colour]));
}

/** A legend: rows of [name, value, CSS colour]. */
export function list(element, rows) {
  const shown = JSON.stringify(rows);
  if (element.dataset.shown === shown) return;
  element.dataset.shown = shown;
  element.replaceChildren(...rows.map(([name, value, colour]) =>
    make("li", {}, swatch(colour), make("span", { textContent: name }), make("b", { textContent: value }))));
}

/** More figures of the run: name -> what to say. */
export function showExtra(figures) {
  byId("extra").replaceChildren(...Object.entries(figures).map(([name, value]) =>
    make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))));
}
