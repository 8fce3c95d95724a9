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
    // Frames and looks wait for each other, so that a new model's colours never meet the old one's frame.
    let before = Promise.resolve();
    this.socket.onopen = () => { this.tries = 0; this.on.state("open"); };
    this.socket.onmessage = ({ data }) => {
      const said = typeof data === "string" ? JSON.parse(data) : null;
      if (said && said.kind !== "look") this.on.text(said);
      else before = before.then(() => (said ? this.on.look(said) : this.take(unpack(data))));
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
    this.send({ kind: "shown", number: frame.header.number });
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
