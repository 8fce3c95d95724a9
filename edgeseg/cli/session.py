"""One run, from the first frame to the table at its end: delivers results to the sinks and tells people how it goes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeseg.bench.accuracy import scores
from edgeseg.core.errors import EdgesegError
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import Result
from edgeseg.streaming.health import Vitals
from edgeseg.streaming.meter import Meter
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.publisher import Publisher
from edgeseg.streaming.sink import Sink
from edgeseg.streaming.sinks.picture import Painter
from edgeseg.vision.background import Background
from edgeseg.vision.captions import hud
from edgeseg.vision.metrics import ConfusionMatrix

REFRESH_SECONDS = 0.2


class Session:
    """Plays a stream. sinks: where its results go; set before `play`. painter: what the sinks that show pictures share.

    publishers: sinks beside the loop, which tell what became of the results that they got. vitals: what these read health from.

    background: what the painter puts behind, instead of colouring the classes.
    """

    def __init__(self, results: Stream, console: Console, background: Background | None = None) -> None:
        self.sinks: list[Sink] = []
        self.publishers: list[Publisher] = []
        self.vitals = Vitals(results)
        bundle = results.segmenter.bundle
        self.painter = Painter(bundle.classes, bundle.palette, self._headline, background)
        self._results = results
        self._console = console
        self._meter = Meter()
        self._truth = ConfusionMatrix(bundle.classes)
        self._judged = False
        self._line, self._line_until = "", 0.0
        self._places: list[str] = []
        self._closed = False

    def play(self, max_frames: int | None) -> None:
        """Delivers every result to every sink until the source ends, `max_frames` are delivered, or a window is closed."""
        self._warm_up()
        try:
            with Live(console=self._console, transient=True, get_renderable=self._live_line, refresh_per_second=5):
                self._deliver(max_frames)
        except EdgesegError as error:
            self.vitals.error = str(error)  # the last heartbeat of every publisher says it
            raise

    def close(self) -> None:
        """Ends the stream and finishes what every sink wrote, then raises the first error that one had. May be called twice."""
        self._results.close()
        if self._closed:
            return
        self._closed = True
        failures: list[EdgesegError] = []
        for sink in (*self.publishers, *self.sinks):
            try:
                self._places += filter(None, [sink.close()])
            except EdgesegError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def figures(self) -> dict[str, Any]:
        """Returns the JSON object of `edgeseg run --json`."""
        segmenter, source = self._results.segmenter, self._results.source
        info = segmenter.engine
        return {
            **self._meter.figures(self._results.ledger.counts()),
            "engine": {
                "name": info.name,
                "precision": info.precision,
                "device": info.device,
                "threads": info.threads,
                "versions": info.versions,
                "reason": info.reason,
            },
            "model": segmenter.bundle.name,
            "source": source.address,
            "live": source.live,
            "outputs": self._places,
            "published": [publisher.figures() for publisher in self.publishers],
            "truth": scores(self._truth) if self._judged else None,
        }

    def report(self) -> None:
        """Prints the short table."""
        figures = self.figures()
        table = Table(show_header=False, title=f"{figures['model']} on {figures['source']}", title_justify="left")
        table.add_column(style="bold")
        table.add_column()
        for name, said in _rows(figures).items():
            table.add_row(name, said)
        self._console.print(table)

    def _warm_up(self) -> None:
        """Compiles what the first frame would wait for (once a machine, then read from a cache), before there is one."""
        if self.sinks:
            self.painter.warm_up()
        nothing = np.zeros((2, 2), np.uint8)
        ConfusionMatrix(self._truth.classes).add(nothing, nothing)

    def _deliver(self, max_frames: int | None) -> None:
        for delivered, result in enumerate(self._results, 1):
            self._meter.add(result)
            self.vitals.saw(result)
            begin = time.monotonic_ns()
            self._judge(result)
            for sink in (*self.publishers, *self.sinks):
                sink.write(result)
            self._meter.add_stages({"sinks": (time.monotonic_ns() - begin) / 1e6})
            if delivered == max_frames or any(getattr(sink, "closed", False) for sink in self.sinks):
                return

    def _judge(self, result: Result) -> None:
        if result.frame.truth is not None and isinstance(result.masks, SemanticMask):
            if result.frame.truth.classes != result.masks.classes:
                return
            self._truth.add(result.frame.truth.labels, result.masks.labels)
            self._judged = True

    def _headline(self, result: Result) -> str:
        """The figures on the picture; they change five times a second, so that they can be read."""
        now = time.monotonic()
        if now >= self._line_until:
            info, dropped = result.engine, sum(self._results.ledger.counts().dropped.values())
            name = self._results.segmenter.bundle.name
            self._line = hud(name, info.name, info.precision, self._meter.recent_fps, result.age_ms, dropped)
            self._line_until = now + REFRESH_SECONDS
        return self._line

    def _live_line(self) -> Text:
        counts, source = self._results.ledger.counts(), self._results.source
        frames = getattr(source, "frames", None)
        parts = [
            f"{counts.delivered}/{frames}" if frames else f"{counts.delivered} frames",
            f"{self._meter.recent_fps:.1f} FPS",
            f"age {self._meter.latest_latency_ms:.0f} ms",
            f"{sum(counts.dropped.values())} dropped",
        ]
        if self._judged:
            parts.append(f"mIoU {100 * self._truth.miou():.1f}")
        return Text("  ".join(part for part in (*parts, source.status) if part), style="cyan")


def _rows(figures: dict[str, Any]) -> dict[str, str]:
    engine, latency = figures["engine"], figures["latency_ms"]
    dropped = ", ".join(f"{count} {reason}" for reason, count in figures["dropped"].items()) or "0"
    rows = {
        "engine": f"{engine['name']} {engine['precision']}, {engine['threads']} threads, {engine['device']}",
        "frames": f"{figures['captured']} captured = {figures['delivered']} delivered + {dropped} dropped "
        f"+ {figures['failed']} failed + {figures['in_flight']} in flight",
    }
    if figures["delivered"]:
        rows["rate"] = f"{figures['fps']:.1f} FPS over {figures['seconds']:.1f} s"
        if figures["engine_fps"]:
            rows["rate"] += f" (the engine alone: {figures['engine_fps']:.1f})"
        rows["age, ms"] = "  ".join(f"{name} {value:.1f}" for name, value in latency.items())
        rows["stages, ms p50"] = "  ".join(f"{name} {value['p50']:.1f}" for name, value in figures["stage_ms"].items())
    if figures["truth"]:
        rows["against the truth"] = (
            f"mIoU {100 * figures['truth']['miou']:.1f} %, pixels {100 * figures['truth']['pixel_accuracy']:.1f} %"
        )
    for way in figures["published"]:
        rows.setdefault("published", "")
        rows["published"] += ("\n" if rows["published"] else "") + (
            f"{way['address']}: {way['published']}, {way['missed']} missed"
            + (f" ({way['error']})" if way["error"] else "")
        )
    for place in figures["outputs"]:
        rows.setdefault("written", "")
        rows["written"] += ("\n" if rows["written"] else "") + str(Path(place))
    return rows
