// The page: joins the link to tiles, picture, charts and lists, and tells how things stand.

import { ageOf, Detail, short } from "./detail.js";
import { Link } from "./link.js";
import { Marks, title } from "./marks.js";
import { byId, Classes, Models, Things } from "./panel.js";
import { Picture } from "./picture.js";
import { markLinks, showLinks, Strand, together } from "./strands.js";
import { Tiles } from "./tiles.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const REDRAW_MS = 200, CALM_MS = 1000, DESCRIBE_MS = 2000;
const ANSWER_MS = 9000;

const stage = byId("stage"), answer = byId("answer"), saveHere = answer.querySelector("button");
const taste = { opacity: 0.55, hidden: new Set() };
const picture = new Picture(byId("picture"), byId("mask"), taste);
const marks = new Marks(byId("marks"), byId("probe"), picture, {
  follow: (thing, name) => tell(thing ? `following ${name} ${thing.id}` : "following nothing"),
  lost: () => tell("the thing that was followed is gone"),
});
const detail = new Detail(picture, marks);
const tiles = new Tiles(byId("tiles"), taste, watch);
const classes = new Classes(picture, recolour);
const things = new Things(picture, marks, title);
let strands = [], focus = null; // the number of the stream that is shown in full, null: all of them are, as tiles
let link = null, models = null, connection = "connecting", over = false, answerTimer = 0;
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
  setInterval(() => detail.describe(), DESCRIBE_MS);
}

/** Learns which streams there are. The run is another one if they are others than before. */
function meet(names) {
  const known = strands.map(({ name }) => name);
  if (String(names) !== String(known)) {
    strands = names.map((name) => new Strand(name));
    tiles.show(names.length > 1 ? names : []);
    showLinks(strands);
    focus = null;
    turn();
  }
  watch();
}

/** Goes where the address points: to one stream, or to all. */
function turn() {
  const before = focus, several = strands.length > 1;
  const asked = /^#\d+$/.test(location.hash) ? Number(location.hash.slice(1)) : null;
  if (several && before !== null) tiles.picture(before).adopt(picture);
  focus = !several ? 0 : asked in strands ? asked : null;
  document.body.classList.toggle("tiled", focus === null);
  byId(focus === null ? "wall-bar" : "bar").prepend(byId("opacity-field"));
  if (several && focus !== null) picture.adopt(tiles.picture(focus));
  if (focus !== null) detail.open(strands[focus]);
  document.title = several && focus !== null ? `${strands[focus].name}, edgeseg` : "edgeseg";
  byId("source").textContent = focus === null ? `${strands.length} streams` : strands[focus].name;
  tiles.lay();
  judge();
  refresh();
  watch();
}

/** Asks for pictures of what is on the screen, and for no others. */
function watch() {
  if (strands.length < 2) return;
  const all = focus === null;
  link.send({ kind: "watch", streams: all ? tiles.visible : [focus], large: !all || tiles.large });
}

function showLook(look) {
  if (!strands[look.stream]) return;
  pictureOf(look.stream).look = look;
  if (look.stream === (focus ?? 0)) classes.show(look);
  strands[look.stream].histories.stages.reset();
}

async function showFrame(frame) {
  const { stream, latency_ms: age, stage_ms: stages } = frame.header;
  if (!strands[stream]) return;
  await (stream === focus ? detail : tiles).frame(frame);
  strands[stream].histories.age.add({ age });
  strands[stream].histories.stages.add(stages);
}

function pictureOf(stream) {
  return stream === focus ? picture : tiles.picture(stream);
}

function showText(said) {
  if (said.kind === "streams") meet(said.names);
  else if (said.kind === "status") showStatus(said);
  else {
    tell(said.said, !said.done);
    saveHere.hidden = !(said.done && wish.kind === "snapshot");
  }
}

function showStatus(said) {
  const strand = strands[said.stream];
  if (said.trouble && said.trouble !== strand.status?.trouble) tell(said.trouble, true);
  strand.status = said;
  strand.histories.fps.add({ fps: said.fps });
  if (said.stream === focus) detail.tell();
  if (said.stream === (focus ?? 0)) models.show(said);
  byId("viewers").textContent = said.viewers === 1 ? "1 viewer" : `${said.viewers} viewers`;
  judge();
}

function refresh() {
  if (focus !== null) {
    detail.refresh();
    classes.refresh();
    things.refresh();
    return;
  }
  strands.forEach((strand, number) => {
    const [state, said] = stateOf(strand);
    const fps = short(strand.histories.fps.latest("fps")), age = short(ageOf(strand));
    tiles.tell(number, { state, said, fps, age, recording: strand.status?.recording });
  });
}

function recolour() {
  picture.colour();
  tiles.colour();
}

function setConnection(state) {
  connection = state;
  if (state !== "open") for (const strand of strands) strand.status = null;
  // A run that has ended stays so until another one answers at this address.
  over = state === "ended" || (over && state !== "open");
  judge();
}

/** Which of the states a stream is in: connecting, waiting, live, stalled, ended; and what to say of it. */
function stateOf(strand) {
  if (over) return ["ended", "the run has ended"];
  if (connection !== "open" || !strand?.status) return ["connecting", "connecting"];
  return strand.state;
}

function judge() {
  const states = strands.length ? strands.map(stateOf) : [stateOf(null)];
  setState(...(focus === null ? together(states) : states[focus]));
  markLinks(focus, states);
}

function setState(state, said) {
  const shown = byId("state"), veil = byId("veil");
  veil.querySelector("p").textContent = said;
  stage.dataset.state = state;
  // The seconds go on in the picture; a screen reader is told of a change of state alone.
  if (shown.dataset.state === state && state === "stalled" && focus !== null) return;
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
    taste.opacity = opacity.value / 100;
    opacity.nextElementSibling.textContent = `${opacity.value}\u202f%`;
    recolour();
  };
  opacity.oninput();
  byId("snapshot").onclick = () => {
    if (strands[focus]?.status?.models === null) {
      if (picture.header) download();
      return;
    }
    ask({ kind: "snapshot", stream: focus ?? 0 });
  };
  saveHere.onclick = download;
  byId("record").onclick = () => ask({ kind: "record", stream: focus ?? 0, on: !strands[focus]?.status?.recording });
  byId("fullscreen").hidden = !document.fullscreenEnabled;
  byId("fullscreen").onclick = () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen());
  new ResizeObserver(() => marks.draw()).observe(stage);
  addEventListener("hashchange", move);
  addEventListener("keydown", (event) => {
    const mine = event.key === "Escape" && !event.defaultPrevented && event.target.tagName !== "SELECT";
    if (mine && strands.length > 1 && focus !== null && !document.fullscreenElement) location.hash = "";
  });
}

/** Turns to where the address points, and takes the keyboard's focus along. */
function move() {
  const before = focus;
  turn();
  if (focus === null) tiles.link(before)?.focus();
  else if (strands.length > 1) byId("marks").focus({ preventScroll: true });
}

start();
