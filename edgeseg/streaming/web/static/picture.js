// The picture, and over it the masks: a label map that is coloured here.

const NOTHING = 255;
const LINE_WHITE = 0.45;
const BACK = 0.4;

export class Picture {
  /** taste: {opacity, hidden: Set of class names}, which all pictures share. */
  constructor(picture, mask, taste) {
    this.picture = picture.getContext("2d", { alpha: false });
    this.mask = mask.getContext("2d");
    this.taste = taste;
    this.followed = null; // the id of a thing: the others stand back
    this.turn = 0; // which stream this is, counted from the first
    this.look = null;
    this.header = null;
    this.labels = null;
    this.counts = new Uint32Array(256); // pixels of the map by entry
  }

  /** Draws one frame and its masks at once. */
  async show({ header, picture, labels }) {
    const { turn } = this;
    const [image, map] = await Promise.all([
      createImageBitmap(new Blob([picture], { type: "image/jpeg" })),
      inflate(labels),
    ]);
    if (turn !== this.turn) return; // Meanwhile this shows another stream.
    fit(this.picture.canvas, image.width, image.height);
    this.picture.drawImage(image, 0, 0);
    image.close();
    this.header = header;
    this.labels = map;
    this.colour();
  }

  /** Shows what another picture shows, or nothing where that has nothing yet. */
  adopt(other) {
    const { picture: { canvas }, header, labels, look } = other;
    Object.assign(this, { header, labels, look, followed: null });
    this.turn++;
    fit(this.picture.canvas, canvas.width, canvas.height);
    this.picture.drawImage(canvas, 0, 0);
    if (labels) this.colour();
    else this.mask.clearRect(0, 0, this.mask.canvas.width, this.mask.canvas.height);
  }

  /** Colours the newest label map anew. */
  colour() {
    if (!this.labels || !this.look) return;
    const [width, height] = this.header.map;
    fit(this.mask.canvas, width, height);
    if (!this.pixels || this.pixels.width !== width || this.pixels.height !== height) {
      this.pixels = this.mask.createImageData(width, height);
      this.words = new Uint32Array(this.pixels.data.buffer);
    }
    paint(this.labels, width, height, this.tables(), this.words, this.counts);
    this.mask.putImageData(this.pixels, 0, 0);
  }

  /** A colour for each entry of the label map: inside, and where it meets another. */
  tables() {
    const { opacity: strength, hidden } = this.taste;
    const inside = new Uint32Array(256), line = new Uint32Array(256);
    for (let entry = 0; entry < NOTHING; entry++) {
      const seen = this.entry(entry);
      if (!seen || hidden.has(seen.name)) continue;
      const opacity = this.followed === null || seen.thing?.id === this.followed ? strength : strength * BACK;
      inside[entry] = word(seen.colour, 0, opacity);
      line[entry] = word(seen.colour, LINE_WHITE, Math.min(1, opacity * 1.7));
    }
    return { inside, line };
  }

  /** What an entry of the label map is: {name, colour, thing?}, or null. */
  entry(entry) {
    const things = this.header?.things;
    const thing = things?.[entry];
    const label = things ? thing?.label : entry;
    const name = this.look?.classes[label];
    if (name === undefined) return null;
    return { name, colour: thing ? thing.colour : this.look.palette[label], thing };
  }

  /** What is seen at x, y in 0..1 of the picture. */
  at(x, y) {
    if (!this.labels) return null;
    const [width, height] = this.header.map;
    const column = Math.min(width - 1, Math.max(0, Math.floor(x * width)));
    const row = Math.min(height - 1, Math.max(0, Math.floor(y * height)));
    return this.entry(this.labels[row * width + column]);
  }

  /** The picture with its masks, as a PNG. */
  still() {
    const { width, height } = this.picture.canvas;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(this.picture.canvas, 0, 0);
    context.drawImage(this.mask.canvas, 0, 0, width, height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }
}

function paint(labels, width, height, { inside, line }, words, counts) {
  counts.fill(0);
  for (let y = 0, at = 0; y < height; y++) {
    const below = y + 1 < height ? width : 0;
    for (let x = 0; x < width; x++, at++) {
      const label = labels[at];
      const edge = label !== labels[at + below] || (x + 1 < width && label !== labels[at + 1]);
      words[at] = edge ? line[label] : inside[label];
      counts[label]++;
    }
  }
}

function word([red, green, blue], white, opacity) {
  const [r, g, b] = [red, green, blue].map((value) => Math.round(value * (1 - white) + 255 * white));
  return ((Math.round(opacity * 255) << 24) | (b << 16) | (g << 8) | r) >>> 0; // little-endian RGBA
}

function fit(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
