"""One source's side of a run: what is counted of its results, and where they go."""

from __future__ import annotations

import time
from typing import Any

from edgeseg.core.errors import EdgesegError
from edgeseg.core.result import Result
from edgeseg.evaluate.live_truth import LiveTruth
from edgeseg.streaming.health import Vitals
from edgeseg.streaming.meter import Meter
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.publish.publisher import Publisher
from edgeseg.streaming.sink import Sink
from edgeseg.streaming.sinks.picture import Painter
from edgeseg.vision.background import Background
from edgeseg.vision.captions import hud

REFRESH_SECONDS = 0.2


class LaneRun:
    """Takes the results of one of a stream's sources.

    sinks: where they go; set before the first. publishers: sinks beside the loop, which tell what became of the results that
    they got. painter: what the sinks that show pictures share. vitals: what publishers read health from.
    background: what the painter puts behind, instead of colouring the classes.
    """

    def __init__(self, results: Stream, lane: int, background: Background | None = None) -> None:
        self.sinks: list[Sink] = []
        self.publishers: list[Publisher] = []
        self.vitals = Vitals(results, lane)
        self.source = results.lanes[lane].source
        bundle = results.segmenter.bundle
        self.painter = Painter(bundle.classes, bundle.palette, self._headline, background)
        self._ledger = results.lanes[lane].ledger
        self._segmenter = results.segmenter
        self._meter = Meter()
        self._truth = LiveTruth()
        self._line, self._line_until = "", 0.0
        self._places: list[str] = []

    def warm_up(self) -> None:
        """Compiles what the first frame would wait for (once a machine, then read from a cache), before there is one."""
        if self.sinks:
            self.painter.warm_up()
        self._truth.warm_up()

    def take(self, result: Result) -> bool:
        """Counts a result and hands it to every sink. Returns whether the user has had enough: a window was closed."""
        self._meter.add(result)
        self.vitals.saw(result)
        begin = time.monotonic_ns()
        self._truth.add(result)
        for sink in (*self.publishers, *self.sinks):
            sink.write(result)
        self._meter.add_stages({"sinks": (time.monotonic_ns() - begin) / 1e6})
        return any(getattr(sink, "closed", False) for sink in self.sinks)

    def close(self) -> list[EdgesegError]:
        """Finishes what every sink wrote, and returns the errors that they had."""
        failures: list[EdgesegError] = []
        for sink in (*self.publishers, *self.sinks):
            try:
                self._places += filter(None, [sink.close()])
            except EdgesegError as error:
                failures.append(error)
        return failures

    def figures(self) -> dict[str, Any]:
        """Returns the JSON object of `edgeseg run --json`."""
        info = self._segmenter.engine
        return {
            **self._meter.figures(self._ledger.counts()),
            "engine": {
                "name": info.name,
                "precision": info.precision,
                "device": info.device,
                "threads": info.threads,
                "versions": info.versions,
                "reason": info.reason,
            },
            "model": self._segmenter.bundle.name,
            "source": self.source.address,
            "live": self.source.live,
            "outputs": self._places,
            "published": [publisher.figures() for publisher in self.publishers],
            "truth": self._truth.figures(),
        }

    def live_line(self) -> str:
        """How it goes, in one line."""
        counts = self._ledger.counts()
        frames = getattr(self.source, "frames", None)
        parts = [
            f"{counts.delivered}/{frames}" if frames else f"{counts.delivered} frames",
            f"{self._meter.recent_fps:.1f} FPS",
            f"age {self._meter.latest_latency_ms:.0f} ms",
            f"{sum(counts.dropped.values())} dropped",
            *(f"{name} {share}" for name, share in self._truth.brief().items()),
            self.source.status,
        ]
        return "  ".join(filter(None, parts))

    def live_truth(self) -> dict[str, str]:
        """How right it has been so far, where the source knows the truth."""
        return {f"{name}, live": share for name, share in self._truth.brief().items()}

    def _headline(self, result: Result) -> str:
        """The figures on the picture; they change five times a second, so that they can be read."""
        now = time.monotonic()
        if now >= self._line_until:
            info, dropped = result.engine, sum(self._ledger.counts().dropped.values())
            name = self._segmenter.bundle.name
            self._line = hud(name, info.name, info.precision, self._meter.recent_fps, result.age_ms, dropped)
            self._line_until = now + REFRESH_SECONDS
        return self._line
