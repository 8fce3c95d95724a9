// The WebSocket: opened again whenever it is lost, and what comes over it taken apart.

const RETRY_MS = [500, 1000, 2000, 4000];
const ENDED = 1001;

/** Calls on.state("connecting" | "open" | "ended"), on.look(look), on.frame({header, picture, labels}) and awaits it, and
 * on.text(object) for all else. */
export class Link {
  constructor(on) {
    this.on = on;
    this.tries = 0;
    this.open();
  }

  open() {
    const address = new URL("live", document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    // A stream's frames and looks wait for each other, so that a new model's colours never meet the old one's frame.
    const before = new Map();
    const inTurn = (stream, work) => before.set(stream, (before.get(stream) ?? Promise.resolve()).then(work));
    this.socket.onopen = () => { this.tries = 0; this.on.state("open"); };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") {
        const said = JSON.parse(data);
        if (said.kind === "look") inTurn(said.stream, () => this.on.look(said));
        else this.on.text(said);
      } else {
        const frame = unpack(data);
        inTurn(frame.header.stream, () => this.take(frame));
      }
    };
    this.socket.onclose = ({ code }) => {
      this.on.state(code === ENDED ? "ended" : "connecting");
      setTimeout(() => this.open(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
    };
  }

  async take(frame) {
    // A hidden page takes nothing: the server then sends no more until it is seen again.
    await visible();
    await this.on.frame(frame);
    this.send({ kind: "shown", stream: frame.header.stream, number: frame.header.number });
  }

  send(request) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(request));
  }
}

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const picture = new Uint8Array(buffer, 4 + length, header.picture);
  const labels = new Uint8Array(buffer, 4 + length + header.picture, header.labels);
  return { header, picture, labels };
}

function visible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", resolve, { once: true });
  });
}
