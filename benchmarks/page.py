"""How long a picture takes from its capture to a browser's canvas, and what serving it costs.

    python benchmarks/page.py [--viewers 0 1 10] [--seconds 20]

Needs Chromium (/usr/bin/chromium) and playwright. Pictures are rendered beforehand and come at 30 a second, so that the
renderer takes no part. Each viewer is a page of its own in headless Chromium. "to canvas" is judged by the server: from
capture until the viewer has said that it has drawn the frame, so its way back is in it. "page CPU" is the time of the page's
own thread, in per cent of one core. Chromium runs on the same machine: leave it cores enough. Prints Markdown.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time

from clips import FPS, FramesInMemory, rendered_frames
from playwright.sync_api import Browser, Page, sync_playwright

import edgeseg
from edgeseg.streaming.meter import Meter
from edgeseg.streaming.web.sink import PageSink

CHROMIUM = "/usr/bin/chromium"
SETTLE_SECONDS = 3.0
LISTEN = """
const Native = WebSocket;
window.told = [];
window.WebSocket = class extends Native {
  constructor(...all) {
    super(...all);
    this.addEventListener("message", ({ data }) => {
      const said = typeof data === "string" ? JSON.parse(data) : {};
      if (said.kind === "status") window.told.push(said.yours);
    });
  }
};
"""
"""Keeps what the server says of this viewer, twice a second."""


def main() -> None:
    """Prints a row a number of viewers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, nargs="+", default=[0, 1, 10])
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    images = rendered_frames(60)
    print(
        "| viewers | loop FPS (target with 10: 98 % of that with 0) | age at delivery, ms p50 / p95 "
        "| to canvas, ms p50 (target: age + 15) | not sent | page CPU (target with 1: 12 %) |\n"
        "|---|---|---|---|---|---|"
    )
    with sync_playwright() as playwright, edgeseg.load() as model:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for viewers in options.viewers:
            source = FramesInMemory(images, 1 << 30, fps=FPS)
            with edgeseg.Stream(source, model) as stream:
                print(row(stream, browser, viewers, options.seconds), flush=True)
        browser.close()


def row(stream: edgeseg.Stream, browser: Browser, viewers: int, seconds: float) -> str:
    """Plays a stream to so many viewers and returns its row."""
    sink, meters = PageSink(stream, port=0), [Meter()]

    def play() -> None:
        for result in stream:
            meters[-1].add(result)
            sink.write(result)

    player = threading.Thread(target=play)
    player.start()
    pages = [visit(browser, sink.address) for _ in range(viewers)]
    time.sleep(SETTLE_SECONDS)
    (server,) = (thread for thread in threading.enumerate() if thread.name == "edgeseg-page")
    assert server.ident is not None
    clock = time.pthread_getcpuclockid(server.ident)
    meters.append(Meter())
    dropped, begin, spent = not_sent(pages), time.monotonic(), time.clock_gettime(clock)
    time.sleep(seconds)
    elapsed, spent = time.monotonic() - begin, time.clock_gettime(clock) - spent
    measured = meters[-1]
    dropped = not_sent(pages) - dropped
    shown = [yours["shown_ms"] for page in pages for yours in page.evaluate("window.told") if yours["shown_ms"]]
    figures = measured.figures(stream.ledger.counts())
    stream.close()
    player.join()
    sink.close()
    for page in pages:
        page.context.close()
    canvas = f"{statistics.median(shown):.1f}" if shown else "-"
    age = figures["latency_ms"]
    return (
        f"| {viewers} | {measured.recent_fps:.1f} | {age['p50']:.1f} / {age['p95']:.1f} | {canvas} | {dropped} "
        f"| {100 * spent / elapsed:.1f} % |"
    )


def visit(browser: Browser, address: str) -> Page:
    """Opens a viewer and waits until it shows pictures."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(LISTEN)
    page.goto(address)
    page.wait_for_selector("#state[data-state=live]")
    return page


def not_sent(pages: list[Page]) -> int:
    """Frames that the viewers were too slow for, by now, all together."""
    return sum(page.evaluate("window.told.at(-1)?.dropped ?? 0") for page in pages)


if __name__ == "__main__":
    main()
