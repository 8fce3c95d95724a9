// All streams at once: a wall of tiles, each a link to its stream.

import { make, say } from "./panel.js";
import { Picture } from "./picture.js";

const GAP = 16, NARROW = 640, LEAST_WIDTH = 260, LEAST_HEIGHT = 320, FOOT = 76;
const SHARP_PIXELS = 800; // a tile that is wider wants the picture at its full size

export class Tiles {
  /** taste: see Picture. changed(): called when other tiles are on the screen than before, or at another size. */
  constructor(wall, taste, changed) {
    Object.assign(this, { wall, taste, changed });
    this.tiles = [];
    this.watcher = new IntersectionObserver((entries) => this.see(entries), { rootMargin: "120px" });
    new ResizeObserver(() => this.lay()).observe(wall);
    addEventListener("resize", () => this.lay());
  }

  /** Begins anew, with a tile for each name. */
  show(names) {
    this.watcher.disconnect();
    this.tiles = names.map((name, number) => tile(name, number, this.taste));
    this.wall.replaceChildren(...this.tiles.map(({ item }) => item));
    for (const { item } of this.tiles) this.watcher.observe(item);
    this.lay();
  }

  picture(number) {
    return this.tiles[number].picture;
  }

  link(number) {
    return this.tiles[number]?.link;
  }

  async frame({ header, ...parts }) {
    await this.tiles[header.stream].picture.show({ header, ...parts });
    this.lay();
  }

  /** state, said: how the stream stands. fps, age: numbers. */
  tell(number, { state, said, fps, age, recording }) {
    const { link, picture, ...shown } = this.tiles[number];
    link.dataset.state = state;
    say(shown.said, state === "live" ? "" : said);
    say(shown.fps, fps);
    say(shown.age, age);
    link.classList.toggle("empty", !picture.header);
    shown.figures.hidden = !picture.header;
    shown.recording.hidden = !recording;
  }

  colour() {
    for (const { picture } of this.tiles) picture.colour();
  }

  /** The numbers of the tiles on the screen. */
  get visible() {
    return this.tiles.flatMap(({ seen }, number) => (seen ? [number] : []));
  }

  /** Whether the tiles are so large that smaller pictures would look soft. */
  get large() {
    return this.width * devicePixelRatio > SHARP_PIXELS;
  }

  see(entries) {
    for (const { target, isIntersecting } of entries) {
      const found = this.tiles.find(({ item }) => item === target);
      if (found) found.seen = isIntersecting;
    }
    this.changed();
  }

  /** Makes the tiles as large as they can be with all of them in the window, on a narrow one as wide as it is. */
  lay() {
    const { wall, tiles } = this;
    const width = wall.clientWidth;
    if (!width || !tiles.length) return;
    const header = tiles.find(({ picture }) => picture.header)?.picture.header;
    const ratio = header ? header.width / header.height : 16 / 9;
    const height = Math.max(LEAST_HEIGHT, innerHeight - wall.getBoundingClientRect().top - scrollY - FOOT);
    let widest = Math.min(width, LEAST_WIDTH), best = Math.max(1, Math.floor((width + GAP) / (widest + GAP)));
    for (let columns = 1; columns <= tiles.length; columns++) {
      const rows = Math.ceil(tiles.length / columns);
      const across = (width - GAP * (columns - 1)) / columns, down = (height - GAP * (rows - 1)) / rows;
      const wide = Math.min(across, down * ratio);
      if (wide > widest) [widest, best] = [wide, columns];
    }
    const large = this.large;
    this.width = Math.floor(innerWidth <= NARROW ? width : widest);
    wall.style.setProperty("--tile", `${this.width}px`);
    wall.parentElement.style.setProperty("--wall", `${this.width * best + GAP * (best - 1)}px`);
    wall.style.setProperty("--ratio", ratio);
    if (this.large !== large) this.changed();
  }
}

function tile(name, number, taste) {
  const picture = make("canvas"), mask = make("canvas");
  const fps = make("b"), age = make("b"), said = make("span", { className: "said" });
  const figures = make("span", { className: "figures", hidden: true }, fps, " FPS ", age, " ms old");
  const recording = make("span", { className: "recording", textContent: "REC", hidden: true });
  const title = make("span", { className: "name" }, make("b", { textContent: number }), make("span", { textContent: name, title: name }));
  for (const canvas of [picture, mask]) canvas.setAttribute("aria-hidden", "true");
  const link = make("a", { href: `#${number}`, className: "tile" }, picture, mask, title, figures, recording, said);
  return { item: make("li", {}, link), link, figures, fps, age, said, recording, picture: new Picture(picture, mask, taste), seen: false };
}
