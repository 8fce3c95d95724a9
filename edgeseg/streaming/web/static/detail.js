// One stream in full: its picture, and its figures beside it.

import { Chart } from "./charts.js";
import { byId, list, say, showExtra, showLedger } from "./panel.js";

const SERIES = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];

export class Detail {
  constructor(picture, marks) {
    Object.assign(this, { picture, marks, strand: null });
    this.charts = {
      fps: new Chart(byId("fps-chart"), { title: "Rate", unit: "FPS", colours: ["--series-1"], floor: 30 }),
      age: new Chart(byId("age-chart"), { title: "Age", unit: "ms", colours: ["--series-3"], floor: 20 }),
      stages: new Chart(byId("stages-chart"), { title: "Stages", unit: "ms", colours: SERIES, floor: 10, stacked: true }),
    };
  }

  open(strand) {
    this.strand = strand;
    for (const [name, chart] of Object.entries(this.charts)) chart.history = strand.histories[name];
    this.marks.point(null);
    this.fit();
    if (strand.status) this.tell();
    this.refresh();
  }

  async frame(frame) {
    await this.picture.show(frame);
    this.fit();
  }

  fit() {
    const { header } = this.picture;
    byId("hud").hidden = !header;
    if (header) byId("stage").style.setProperty("--ratio", header.width / header.height);
    this.marks.draw();
  }

  /** Shows the newest status. */
  tell() {
    const { status } = this.strand;
    const { yours } = status;
    say(byId("shown"), yours.shown_ms ? `at the mask, ${yours.shown_ms.toFixed(0)} ms on your screen` : "");
    byId("record").setAttribute("aria-pressed", String(status.recording));
    byId("record").hidden = status.models === null;
    byId("recording").hidden = !status.recording;
    showLedger(status);
    showExtra(status.figures);
  }

  /** Draws the charts and the numbers at them. */
  refresh() {
    const { fps, age, stages } = this.strand.histories;
    for (const chart of Object.values(this.charts)) chart.draw();
    byId("fps-now").textContent = byId("hud-fps").textContent = short(fps.latest("fps"));
    byId("age-now").textContent = short(age.latest("age"));
    byId("hud-age").textContent = short(ageOf(this.strand));
    const colour = (name) => this.charts.stages.colour(name);
    list(byId("stages"), stages.series.map((name) => [name, `${stages.latest(name).toFixed(1)} ms`, colour(name)]));
  }

  describe() {
    for (const chart of Object.values(this.charts)) chart.describe();
  }
}

/** How old what is on this screen is, in ms; up to the masks where the screen is not known yet. */
export function ageOf({ status, histories }) {
  return status?.yours.shown_ms ?? histories.age.latest("age");
}

export const short = (value) => value.toFixed(value < 99.5 ? 1 : 0);
