// The page: joins the link to picture, charts and lists, and tells how things stand.

import { Chart } from "./charts.js";
import { Link } from "./link.js";
import { Marks, title } from "./marks.js";
import { byId, Classes, list, Models, showExtra, showLedger, Things } from "./panel.js";
import { Picture } from "./picture.js";

const SILENT_SECONDS = 2;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const REDRAW_MS = 200, CALM_MS = 1000, DESCRIBE_MS = 2000;
const ANSWER_MS = 9000;

const stage = byId("stage"), answer = byId("answer"), saveHere = answer.querySelector("button");
const picture = new Picture(byId("picture"), byId("mask"));
const marks = new Marks(byId("marks"), byId("probe"), picture, {
  follow: (thing, name) => tell(thing ? `following ${name} ${thing.id}` : "following nothing"),
  lost: () => tell("the thing that was followed is gone"),
});
const classes = new Classes(picture);
const things = new Things(picture, marks, title);
const series = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
const fps = new Chart(byId("fps-chart"), { title: "Rate", unit: "FPS", colours: ["--series-1"], floor: 30 });
const age = new Chart(byId("age-chart"), { title: "Age", unit: "ms", colours: ["--series-3"], floor: 20 });
const stages = new Chart(byId("stages-chart"), { title: "Stages", unit: "ms", colours: series, floor: 10, stacked: true });
let link = null, models = null, status = null, connection = "connecting", answerTimer = 0, recording = false;
let wish = null; // what was asked for last

function start() {
  if (!("DecompressionStream" in window && "WebSocket" in window)) {
    const plain = Object.assign(new Image(), { src: "stream.mjpg", alt: "Live picture with its masks" });
    stage.replaceChildren(plain);
    document.body.classList.add("plain");
    setState("live", "live (this browser is too old for more than the picture)");
    return;
  }
  link = new Link({ state: setConnection, look: showLook, frame: showFrame, text: showText });
  models = new Models(ask);
  listen();
  setInterval(refresh, calm.matches ? CALM_MS : REDRAW_MS);
  setInterval(() => [fps, age, stages].forEach((chart) => chart.describe()), DESCRIBE_MS);
}

function showLook(look) {
  picture.look = look;
  classes.show(look);
  stages.reset();
}

async function showFrame(frame) {
  const { header } = frame;
  await picture.show(frame);
  stage.style.setProperty("--ratio", header.width / header.height);
  byId("hud").hidden = false;
  marks.draw();
  age.add({ age: header.latency_ms });
  stages.add(header.stage_ms);
}

function showText(said) {
  if (said.kind === "answer") {
    tell(said.said, !said.done);
    saveHere.hidden = !(said.done && wish.kind === "snapshot");
    return;
  }
  if (said.trouble && said.trouble !== status?.trouble) tell(said.trouble, true);
  status = said;
  byId("source").textContent = said.source;
  byId("viewers").textContent = said.viewers === 1 ? "1 viewer" : `${said.viewers} viewers`;
  byId("shown").textContent = said.yours.shown_ms ? `at the mask, ${said.yours.shown_ms.toFixed(0)} ms on your screen` : "";
  recording = said.recording;
  byId("record").setAttribute("aria-pressed", String(recording));
  byId("record").hidden = said.models === null;
  byId("recording").hidden = !recording;
  fps.add({ fps: said.fps });
  models.show(said);
  showLedger(said);
  showExtra(said.figures);
  judge();
}

function refresh() {
  for (const chart of [fps, age, stages]) chart.draw();
  byId("fps-now").textContent = byId("hud-fps").textContent = short(fps.latest("fps"));
  byId("age-now").textContent = short(age.latest("age"));
  byId("hud-age").textContent = short(status?.yours.shown_ms ?? age.latest("age"));
  list(byId("stages"), stages.series.map((name) => [name, `${stages.latest(name).toFixed(1)} ms`, stages.colour(name)]));
  classes.refresh();
  things.refresh();
}

const short = (value) => value.toFixed(value < 99.5 ? 1 : 0);

function setConnection(state) {
  connection = state;
  if (state !== "open") status = null;
  judge();
}

/** Says which of the states this is: connecting, waiting, live, stalled, ended. */
function judge() {
  if (connection === "ended") setState("ended", "the run has ended");
  else if (connection !== "open" || !status) {
    // A run that has ended stays so until another one answers at this address.
    if (byId("state").dataset.state !== "ended") setState("connecting", "connecting");
  } else if (status.said) setState("stalled", status.said);
  else if (!status.begun) setState("waiting", "waiting for the first picture");
  else if (status.silent_seconds > SILENT_SECONDS) setState("stalled", `camera silent for ${Math.floor(status.silent_seconds)} s`);
  else setState("live", "live");
}

function setState(state, said) {
  const shown = byId("state"), veil = byId("veil");
  veil.querySelector("p").textContent = said;
  stage.dataset.state = state;
  // The seconds go on in the picture; a screen reader is told of a change of state alone.
  if (shown.dataset.state === state && state === "stalled") return;
  if (shown.textContent !== said) shown.textContent = said;
  shown.dataset.state = state;
}

function ask(request) {
  wish = request;
  link.send(request);
}

function tell(said, bad = false) {
  answer.querySelector("span").textContent = said;
  answer.classList.toggle("bad", bad);
  answer.classList.add("shown");
  saveHere.hidden = true;
  clearTimeout(answerTimer);
  answerTimer = setTimeout(() => answer.classList.remove("shown"), ANSWER_MS);
}

async function download() {
  const address = URL.createObjectURL(await picture.still());
  Object.assign(document.createElement("a"), { href: address, download: `edgeseg-${picture.header.index}.png` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function listen() {
  const opacity = byId("opacity");
  opacity.oninput = () => {
    picture.opacity = opacity.value / 100;
    opacity.nextElementSibling.textContent = `${opacity.value}\u202f%`;
    picture.colour();
  };
  opacity.oninput();
  byId("snapshot").onclick = () => {
    if (status?.models === null) {
      if (picture.header) download();
      return;
    }
    ask({ kind: "snapshot" });
  };
  saveHere.onclick = download;
  byId("record").onclick = () => ask({ kind: "record", on: !recording });
  byId("fullscreen").hidden = !document.fullscreenEnabled;
  byId("fullscreen").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen());
  new ResizeObserver(() => marks.draw()).observe(stage);
}

start();
