"""One run, from the first frame to the table at its end: hands results on and tells people how it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edgeseg.cli.lane import LaneRun
from edgeseg.core.errors import EdgesegError
from edgeseg.streaming.pipeline import Stream
from edgeseg.vision.background import Background

TOTALS = ("captured", "delivered", "failed", "in_flight", "fps")
"""What several sources add up to."""

JUDGED = {
    "miou": "mIoU",
    "pixel_accuracy": "pixels",
    "f1": "things: F1",
    "precision": "precision",
    "recall": "recall",
    "mask_iou": "IoU of those found",
    "idf1": "IDF1",
}
"""Figures against the truth that the table shows, and how it calls them."""


class Session:
    """Plays a stream. lanes: one for each of its sources, with their sinks.

    background: makes what is put behind, instead of colouring the classes; one for each source, since it follows the picture.
    """

    def __init__(self, results: Stream, console: Console, background: list[Background] | None = None) -> None:
        self.results = results
        backgrounds = background or [None] * len(results.lanes)
        self.lanes = [LaneRun(results, number, behind) for number, behind in enumerate(backgrounds)]
        self._console = console
        self._closed = False

    def play(self, max_frames: int | None) -> None:
        """Delivers every result to its lane until the sources end, `max_frames` are delivered, or a window is closed."""
        for lane in self.lanes:
            lane.warm_up()
        try:
            with Live(console=self._console, transient=True, get_renderable=self._live_lines, refresh_per_second=5):
                for delivered, result in enumerate(self.results, 1):
                    enough = self.lanes[result.lane].take(result)
                    if enough or delivered == max_frames:
                        return
        except EdgesegError as error:
            for lane in self.lanes:
                lane.vitals.error = str(error)  # the last heartbeat of every publisher says it
            raise

    def close(self) -> None:
        """Ends the stream and finishes what every sink wrote, then raises the first error that one had. May be called twice."""
        self.results.close()
        if self._closed:
            return
        self._closed = True
        failures = [failure for lane in self.lanes for failure in lane.close()]
        if failures:
            raise failures[0]

    def figures(self) -> dict[str, Any]:
        """Returns the JSON object of `edgeseg run --json`: of several sources their sums, and `streams`, one object each."""
        streams = [lane.figures() for lane in self.lanes]
        if len(streams) == 1:
            return streams[0]
        dropped: dict[str, int] = {}
        for figures in streams:
            for reason, count in figures["dropped"].items():
                dropped[reason] = dropped.get(reason, 0) + count
        sums = {name: sum(figures[name] or 0 for figures in streams) for name in TOTALS}
        common = {name: streams[0][name] for name in ("engine", "model")}
        return {**sums, "dropped": dropped, **common, "streams": streams}

    def report(self) -> None:
        """Prints a short table for each source."""
        for lane in self.lanes:
            figures = lane.figures()
            table = Table(show_header=False, title=f"{figures['model']} on {figures['source']}", title_justify="left")
            table.add_column(style="bold")
            table.add_column()
            for name, said in _rows(figures).items():
                table.add_row(name, said)
            self._console.print(table)

    def _live_lines(self) -> Text:
        return Text("\n".join(lane.live_line() for lane in self.lanes), style="cyan")


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
        rows["against the truth"] = ", ".join(
            f"{name} {100 * figures['truth'][key]:.1f} %"
            for key, name in JUDGED.items()
            if figures["truth"].get(key) is not None
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
