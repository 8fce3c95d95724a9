"""A row's turn: one frame at a time, the engine alone, and the loop over a file and before a live source.

All of it goes through the segmenter, the stream and the painter that `edgeseg run` uses. What is returned is raw, since rows
are made of all rounds together.
"""

from __future__ import annotations

import datetime
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.core.result import Frame, Result, Timing
from edgeseg.profile.clip import ClipSource
from edgeseg.profile.load import LoadMeter
from edgeseg.profile.rows import Load
from edgeseg.runtime.stage import Segmenter
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.sinks.picture import Painter
from edgeseg.streaming.source import Source
from edgeseg.vision.captions import hud
from edgeseg.vision.tracking import Tracker

FIT, ENGINE = "fit", "engine"
WARM_UP_SECONDS = 0.3
INPUTS = 8
"""The engine alone takes turns on so many frames."""


class SerialTurn(TypedDict):
    """Milliseconds of each frame: its wall clock, and each of its stages."""

    frame_ms: list[float]
    stage_ms: dict[str, list[float]]


class LoopTurn(TypedDict):
    """What `Stream` delivered. interval_ms: from each delivery to the next, of a live source from each capture to the next, since
    the first delivery is late; the others are a number a result, or counts.
    """

    captured: int
    delivered: int
    dropped: dict[str, int]
    failed: int
    in_flight: int
    interval_ms: list[float]
    latency_ms: list[float]
    waiting_ms: list[float]
    stage_ms: dict[str, list[float]]
    threads: int
    load: Load


class Turn(TypedDict):
    """One turn of a row, in one round. date: ISO 8601, UTC; engine: what the runs with all cores had, as in `run --json`."""

    date: str
    engine: dict[str, Any]
    serial: SerialTurn
    alone_ms: list[float]
    file: LoopTurn
    paced: LoopTurn


@dataclass(frozen=True)
class Pace:
    """How a turn is taken. clip: what is played. seconds: of each measurement (the engine alone gets half). live_fps: the live
    source's frames a second."""

    clip: Path
    seconds: float
    live_fps: float


class Reader:
    """Who stands at the end of the loop: looks at the painted picture, and takes the masks for itself.

    The line of figures on the picture stands still, so that it is drawn once; `run` draws a new one five times a second.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        bundle, engine = segmenter.bundle, segmenter.engine
        line = hud(bundle.name, engine.name, engine.precision, 0.0, 0.0, 0)
        self._painter = Painter(bundle.classes, bundle.palette, lambda result: line)
        self._painter.warm_up()
        self._taken: tuple[NDArray[Any], ...] = ()

    def draw(self, result: Result) -> None:
        """Paints the picture, as for a window or a recording."""
        self._painter.paint(result)

    def take(self, masks: Masks) -> None:
        """Copies the masks, as a planner does that keeps them while the next ones come."""
        if isinstance(masks, SemanticMask):
            self._taken = (masks.labels.copy(),)
        else:
            self._taken = (masks.boxes.copy(), masks.scores.copy(), *(pixels.copy() for pixels in masks.cutouts.pixels))


def take_turn(
    segmenter: Segmenter,
    open_live: Callable[[], Segmenter],
    pace: Pace,
    progress: Callable[[float], object] = lambda share: None,
) -> Turn:
    """Measures a turn, each part after a warm-up that counts for nothing.

    segmenter: one that takes all cores. open_live: opens the one that the live source gets, which leaves a core to the rest; it is
    closed afterwards. progress: called with the share that is done.
    """
    date = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    reader = Reader(segmenter)

    def played(seconds: float, fps: float | None = None) -> ClipSource:
        return ClipSource(pace.clip, seconds, fps)

    with played(WARM_UP_SECONDS) as warm, played(pace.seconds) as source:
        time_serial(segmenter, warm, reader)
        serial = time_serial(segmenter, source, reader)
    progress(0.3)
    with played(pace.seconds) as source:
        alone = time_engine(segmenter, source, pace.seconds / 2)
    progress(0.45)
    time_loop(segmenter, played(WARM_UP_SECONDS), reader)
    file = time_loop(segmenter, played(pace.seconds), reader)
    progress(0.7)
    with open_live() as live:
        time_loop(live, played(WARM_UP_SECONDS), reader)
        paced = time_loop(live, played(pace.seconds, pace.live_fps), reader)
    return {
        "date": date,
        "engine": {**vars(segmenter.engine)},
        "serial": serial,
        "alone_ms": alone,
        "file": file,
        "paced": paced,
    }


def time_serial(segmenter: Segmenter, source: Iterable[Frame], reader: Reader) -> SerialTurn:
    """Takes one frame after the other through everything, with nothing beside it."""
    tracker = Tracker() if segmenter.bundle.task == "instances" else None
    frame_ms: list[float] = []
    stage_ms: dict[str, list[float]] = defaultdict(list)
    frames = iter(source)
    while True:
        begin = time.monotonic_ns()
        frame = next(frames, None)
        if frame is None:
            return {"frame_ms": frame_ms, "stage_ms": dict(stage_ms)}
        if frame.damage:
            continue
        spans = _spans(segmenter, frame, reader, tracker)
        frame_ms.append((time.monotonic_ns() - begin) / 1e6)
        stage_ms["decode"].append(frame.decode_ns / 1e6)
        for name, took in spans.items():
            stage_ms[name].append(took / 1e6)


def _spans(segmenter: Segmenter, frame: Frame, reader: Reader, tracker: Tracker | None) -> dict[str, int]:
    """Returns what each stage behind decoding took of this frame, in ns."""
    spans: dict[str, int] = {}
    since = time.monotonic_ns()

    def lap(name: str) -> None:
        nonlocal since
        now = time.monotonic_ns()
        spans[name], since = now - since, now

    value: Any = frame.image
    for stage in segmenter.stages:
        value = stage.run(value)
        lap(stage.name)
    if tracker is not None and isinstance(value, InstanceMasks):
        value = tracker(value, frame.captured_ns / 1e9)
        lap("track")
    result = Result(frame, value, Timing({}, since), segmenter.engine)
    reader.draw(result)
    lap("draw")
    reader.take(value)
    lap("deliver")
    return spans


def time_engine(segmenter: Segmenter, source: Iterable[Frame], seconds: float) -> list[float]:
    """Returns the milliseconds of each run of the engine alone on fitted frames, for so many seconds.

    Where fitting is no stage of its own (a GPU does all at once), everything up to the engine's stage is timed.
    """
    stages = list(segmenter.stages)
    ahead = [stages.pop(0).run] if stages[0].name == FIT else []
    while stages[-1].name != ENGINE and any(stage.name == ENGINE for stage in stages):
        stages.pop()
    inputs: list[Any] = [frame.image for frame in islice(source, INPUTS)]
    for run in ahead:
        inputs = [run(image) for image in inputs]
    taken: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = inputs[len(taken) % len(inputs)]
        begin = time.monotonic_ns()
        for stage in stages:
            value = stage.run(value)
        taken.append((time.monotonic_ns() - begin) / 1e6)
    return taken


def time_loop(segmenter: Segmenter, source: Source, reader: Reader) -> LoopTurn:
    """Plays the source to its end through the loop of `run`."""
    latency, waiting, moments = [], [], []
    stage_ms: dict[str, list[float]] = defaultdict(list)
    with Stream(source, segmenter) as results, LoadMeter() as load:
        for result in results:
            begin = time.monotonic_ns()
            reader.draw(result)
            drawn = time.monotonic_ns()
            reader.take(result.masks)
            done = time.monotonic_ns()
            moments.append((result.frame.captured_ns if source.live else result.timing.delivered_ns) / 1e6)
            latency.append(result.latency_ms)
            waiting.append(_waiting_ms(result))
            for name, took in result.timing.stage_ms.items():
                stage_ms[name].append(took)
            stage_ms["draw"].append((drawn - begin) / 1e6)
            stage_ms["deliver"].append((done - drawn) / 1e6)
    counts = results.ledger.counts()
    return {
        "captured": counts.captured,
        "delivered": counts.delivered,
        "dropped": counts.dropped,
        "failed": counts.failed,
        "in_flight": counts.in_flight,
        "interval_ms": np.diff(moments).tolist(),
        "latency_ms": latency,
        "waiting_ms": waiting,
        "stage_ms": dict(stage_ms),
        "threads": segmenter.engine.threads,
        "load": load.figures(counts.delivered),
    }


def _waiting_ms(result: Result) -> float:
    """Of the time from capture to delivery, what no stage worked on the frame. Rendering ahead of the capture is no part of it."""
    captured = result.frame.captured_ns
    worked = sum(max(0, end - max(begin, captured)) for begin, end in result.timing.spans.values())
    return result.latency_ms - worked / 1e6
