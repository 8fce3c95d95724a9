"""The loop: sources, the stages of a segmenter, each in its own thread, and the caller at the end.

    source -> slot -> fit -> slot -> engine -> slot -> tail -> slot -> caller

Stages overlap, so that the slowest alone sets the rate. From a live source the newest frame wins at every slot; from a
file every slot waits, and no frame is lost. Errors of any thread are raised at the caller, after the results before them.
Things are followed from frame to frame at the caller's end, since only there it is known which frames were delivered.

Several sources share the stages. Each has a slot of its own before every stage, and the stage takes from them in turn: a
camera of 60 frames a second leaves one of 10 its share, and neither displaces the other's frames.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Thread
from types import TracebackType
from typing import Any

from edgeseg.core.masks import InstanceMasks, Masks
from edgeseg.core.result import Frame, Result, Timing
from edgeseg.runtime.cpu import usable_cores
from edgeseg.runtime.segmenter import DEFAULT_MODEL, Segmenter, Stage, load
from edgeseg.streaming.lanes import LaneEnded, Lanes, LanesClosed
from edgeseg.streaming.ledger import Ledger
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.slot import SlotClosed
from edgeseg.streaming.source import Source
from edgeseg.vision.tracking import Tracker

NEWER_FRAME = "newer frame"
SLOW_READER = "slow reader"
STALE = "stale"
STOPPED = "stopped"

JOIN_SECONDS = 10.0
USUAL_FPS = 30.0
"""Of a source without a clock, such as a folder of pictures."""


@dataclass
class _Job:
    """A frame on its way: its ticket in the ledger, what the last stage returned, and when each stage worked on it."""

    frame: Frame
    ticket: int
    value: Any
    spans: dict[str, tuple[int, int]]


@dataclass
class Lane:
    """One source of a stream. ledger: what became of each of its frames. ended: whether its last result was given out; error:
    what it broke off with, if it did."""

    source: Source
    ledger: Ledger
    tracker: Tracker | None
    ended: bool = False
    error: Exception | None = None


class Stream:
    """Iterates results, newest first where a source is live. Leaving the loop, or the `with` block, ends every thread.

    source: where frames come from; several are served in turn. segmenter: what makes masks of them.
    lanes: each source with its ledger; `source` and `ledger` are those of the first, mostly the only one.
    Where one of several sources breaks off, the others go on, and its error is raised at the end of all.
    """

    def __init__(
        self, source: Source | Sequence[Source], segmenter: Segmenter, *, owns_segmenter: bool = False
    ) -> None:
        sources = tuple(source) if isinstance(source, Sequence) else (source,)
        self.segmenter = segmenter
        tracked = segmenter.bundle.task == "instances"
        self.lanes = tuple(Lane(each, Ledger(), Tracker() if tracked else None) for each in sources)
        self._owns_segmenter = owns_segmenter
        live = [each.live for each in sources]
        self._places: list[Lanes[_Job]] = [Lanes(newest_wins=live) for _ in range(len(segmenter.stages) + 1)]
        self._threads = [
            Thread(target=self._capture, args=(lane,), name=f"edgeseg-capture-{lane}", daemon=True)
            for lane in range(len(sources))
        ]
        for stage, inbox, outbox in zip(segmenter.stages, self._places, self._places[1:], strict=False):
            work = Thread(target=self._work, args=(stage, inbox, outbox), name=f"edgeseg-{stage.name}", daemon=True)
            self._threads.append(work)
        self._started = self._ended = False

    @property
    def source(self) -> Source:
        """The first source."""
        return self.lanes[0].source

    @property
    def ledger(self) -> Ledger:
        """The first source's ledger."""
        return self.lanes[0].ledger

    def __iter__(self) -> Iterator[Result]:
        """Yields results as they come. Raises what any thread raised."""
        try:
            while True:
                try:
                    yield self.next()
                except SlotClosed:
                    return
        finally:
            self.close()

    def next(self) -> Result:
        """Waits for the next result. Raises SlotClosed at the end, or the error that a thread ended with."""
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        while True:
            try:
                number, job = self._places[-1].get()
            except LaneEnded as end:
                self.lanes[end.lane].ended, self.lanes[end.lane].error = True, end.error
            except LanesClosed:
                raise next((lane.error for lane in self.lanes if lane.error), None) or SlotClosed from None
            else:
                break
        lane = self.lanes[number]
        masks = _tracked(job, lane)
        lane.ledger.delivered(job.ticket)
        timing = Timing(job.spans, time.monotonic_ns())
        return Result(job.frame, masks, timing, self.segmenter.engine, number)

    def stop(self) -> None:
        """From any thread: no further result is given out, and `next` raises SlotClosed. What there is is let go by `close`."""
        self._drop_all(self._places[-1])

    def close(self) -> None:
        """Ends every thread, lets go of the sources, and settles what was still in flight. May be called twice."""
        if self._ended:
            return
        self._ended = True
        for place in self._places:
            self._drop_all(place)
        for lane in self.lanes:
            lane.source.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(JOIN_SECONDS)
        if self._owns_segmenter:
            self.segmenter.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _capture(self, number: int) -> None:
        lane, outbox = self.lanes[number], self._places[0][number]
        latest = 0
        try:
            for frame in lane.source:
                frame = _stamped(frame, latest)
                latest = frame.captured_ns
                ticket = lane.ledger.captured()
                if frame.damage:
                    lane.ledger.failed(ticket)
                elif frame.stale:
                    lane.ledger.dropped(ticket, STALE)
                else:
                    now = time.monotonic_ns()
                    job = _Job(frame, ticket, frame.image, {"decode": (now - frame.decode_ns, now)})
                    self._pass_on(job, self._places[0], number)
                if outbox.abandoned:
                    break
        except Exception as error:  # noqa: BLE001, every error belongs to the caller's thread and is raised there
            outbox.close(error)
        else:
            outbox.close()

    def _work(self, stage: Stage, inbox: Lanes[_Job], outbox: Lanes[_Job]) -> None:
        try:
            while True:
                try:
                    number, job = inbox.get()
                except LaneEnded as end:
                    outbox[end.lane].close(end.error)
                    continue
                begin = time.monotonic_ns()
                try:
                    job.value = stage.run(job.value)
                except Exception:
                    self.lanes[number].ledger.failed(job.ticket)
                    raise
                job.spans[stage.name] = (begin, time.monotonic_ns())
                self._pass_on(job, outbox, number)
        except LanesClosed:
            pass
        except Exception as error:  # noqa: BLE001, likewise
            outbox.close(error)
        self._drop_all(inbox)

    def _pass_on(self, job: _Job, place: Lanes[_Job], number: int) -> None:
        displaced = place[number].put(job)
        if displaced is not None:
            slow = SLOW_READER if place is self._places[-1] else NEWER_FRAME
            self.lanes[number].ledger.dropped(displaced.ticket, STOPPED if displaced is job else slow)

    def _drop_all(self, place: Lanes[_Job]) -> None:
        for number, job in place.abandon():
            self.lanes[number].ledger.dropped(job.ticket, STOPPED)


def _tracked(job: _Job, lane: Lane) -> Masks:
    """Gives the things of a frame their ids, unless the segmenter did."""
    masks: Masks = job.value
    if lane.tracker is None or not isinstance(masks, InstanceMasks) or masks.ids is not None:
        return masks
    # A file is read at another pace than it was filmed at.
    filmed = job.frame.index / (getattr(lane.source, "fps", None) or USUAL_FPS)
    begin = time.monotonic_ns()
    masks = lane.tracker(masks, job.frame.captured_ns / 1e9 if lane.source.live else filmed)
    job.spans["track"] = (begin, time.monotonic_ns())
    return masks


def _stamped(frame: Frame, latest: int) -> Frame:
    """Returns the frame with a capture time that can be: not in the future, and not before the frame ahead of it."""
    now = time.monotonic_ns()
    if latest <= frame.captured_ns <= now:
        return frame
    return replace(frame, captured_ns=now)


def stream(
    source: str | int | Source | Sequence[str | int | Source],
    model: str | os.PathLike[str] | Segmenter = DEFAULT_MODEL,
    *,
    engine: str = "auto",
    precision: str = "auto",
) -> Stream:
    """Opens a source and a model and returns the stream of results between them: `for result in stream(0): ...`.

    source: an address (a camera index, a file, rtsp://..., street://...) or an opened Source; of several in a list,
    `Result.lane` says which. model: a bundle's name or folder, or a Segmenter from `load`, which stays open afterwards. Given
    by name, its engine takes all cores for files (most frames a second) and all but one where a source is live (steady age).
    Raises UsageError, SourceError, BundleError, EngineError.
    """
    asked = source if isinstance(source, Sequence) and not isinstance(source, str) else [source]
    opened: list[Source] = []
    try:
        # One by one, so that those before a source that can't be opened are closed again.
        opened.extend(open_source(each) if isinstance(each, str | int) else each for each in asked)
        if not isinstance(model, str | os.PathLike):
            return Stream(opened, model)
        threads = max(1, usable_cores() - 1) if any(each.live for each in opened) else usable_cores()
        return Stream(opened, load(model, engine=engine, precision=precision, threads=threads), owns_segmenter=True)
    except BaseException:
        for each in opened:
            each.close()
        raise
