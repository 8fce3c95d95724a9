// The streams of a run, as this viewer knows them, and the links between them.

import { History } from "./charts.js";
import { byId, make } from "./panel.js";

const SILENT_SECONDS = 2;

/** One stream: its name, its newest status, and its figures over time, which go on while another one is looked at. */
export class Strand {
  constructor(name) {
    this.name = name;
    this.status = null;
    this.histories = { fps: new History(), age: new History(), stages: new History() };
  }

  /** Returns [state, what to say of it]; state: waiting, live, stalled. */
  get state() {
    const { said, begun, silent_seconds: silent } = this.status;
    if (said) return ["stalled", said];
    if (!begun) return ["waiting", "waiting for the first picture"];
    if (silent > SILENT_SECONDS) return ["stalled", `camera silent for ${Math.floor(silent)} s`];
    return ["live", "live"];
  }
}

/** Says how several streams stand together. states: of each, as above. */
export function together(states) {
  const same = states.every(([state]) => state === states[0][0]);
  if (same && states[0][0] !== "stalled") return states[0];
  const live = states.filter(([state]) => state === "live").length;
  return ["stalled", `${live || "none"} of ${states.length} live`];
}

/** Links to each stream, and to all of them. */
export function showLinks(strands) {
  const all = make("a", { href: "#", title: "All streams (Esc)", ariaLabel: "All streams" });
  all.innerHTML = '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1 1h6v6H1zM9 1h6v6H9zM1 9h6v6H1zM9 9h6v6H9z"/></svg>';
  all.append("All");
  const links = strands.map(({ name }, number) =>
    make("a", { href: `#${number}`, title: name, ariaLabel: `Stream ${number}, ${name}`, textContent: number }));
  byId("streams").replaceChildren(all, ...links);
  byId("streams").hidden = strands.length < 2;
}

/** Marks the link of the stream that is shown, and says of each how it stands. */
export function markLinks(current, states) {
  [...byId("streams").children].slice(1).forEach((link, number) => {
    link.toggleAttribute("aria-current", number === current);
    link.dataset.state = states[number][0];
  });
}
