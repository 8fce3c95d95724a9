"""The loop: a source, the stages of a segmenter, each in its own thread, and the caller at the end.

    source -> slot -> fit -> slot -> engine -> slot -> tail -> slot -> caller

Stages overlap, so that the slowest alone sets the rate. From a live source the newest frame wins at every slot; from a
file every slot waits, and no frame is lost. Errors of any thread are raised at the caller, after the results before them.
Things are followed from frame to frame at the caller's end, since only there it is known which frames were delivered.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Thread
from types import TracebackType
from typing import Any

from edgeseg.core.masks import InstanceMasks, Masks
from edgeseg.core.result import Frame, Result, Timing
from edgeseg.runtime.cpu import usable_cores
from edgeseg.runtime.segmenter import DEFAULT_MODEL, Segmenter, Stage, load
from edgeseg.streaming.ledger import Ledger
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.slot import Slot, SlotClosed
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


class Stream:
    """Iterates results, newest first where the source is live. Leaving the loop, or the `with` block, ends every thread.

    source: where frames come from. segmenter: what makes masks of them. ledger: what became of every frame.
    """

    def __init__(self, source: Source, segmenter: Segmenter, *, owns_segmenter: bool = False) -> None:
        self.source = source
        self.segmenter = segmenter
        self.ledger = Ledger()
        self._owns_segmenter = owns_segmenter
        self._tracker = Tracker() if segmenter.bundle.task == "instances" else None
        live = source.live
        self._slots: list[Slot[_Job]] = [Slot(newest_wins=live) for _ in range(len(segmenter.stages) + 1)]
        self._threads = [Thread(target=self._capture, name="edgeseg-capture", daemon=True)]
        for stage, inbox, outbox in zip(segmenter.stages, self._slots, self._slots[1:], strict=False):
            work = Thread(target=self._work, args=(stage, inbox, outbox), name=f"edgeseg-{stage.name}", daemon=True)
            self._threads.append(work)
        self._started = self._ended = False

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
        job = self._slots[-1].get()
        masks = self._tracked(job)
        self.ledger.delivered(job.ticket)
        timing = Timing(job.spans, time.monotonic_ns())
        return Result(job.frame, masks, timing, self.segmenter.engine)

    def close(self) -> None:
        """Ends every thread, lets go of the source, and settles what was still in flight. May be called twice."""
        if self._ended:
            return
        self._ended = True
        for slot in self._slots:
            self._drop(slot.abandon(), STOPPED)
        self.source.close()
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

    def _tracked(self, job: _Job) -> Masks:
        """Gives the things of a frame their ids, unless the segmenter did."""
        masks: Masks = job.value
        if self._tracker is None or not isinstance(masks, InstanceMasks) or masks.ids is not None:
            return masks
        # A file is read at another pace than it was filmed at.
        filmed = job.frame.index / (getattr(self.source, "fps", None) or USUAL_FPS)
        begin = time.monotonic_ns()
        masks = self._tracker(masks, job.frame.captured_ns / 1e9 if self.source.live else filmed)
        job.spans["track"] = (begin, time.monotonic_ns())
        return masks

    def _capture(self) -> None:
        outbox = self._slots[0]
        latest = 0
        try:
            for frame in self.source:
                frame = _stamped(frame, latest)
                latest = frame.captured_ns
                ticket = self.ledger.captured()
                if frame.damage:
                    self.ledger.failed(ticket)
                elif frame.stale:
                    self.ledger.dropped(ticket, STALE)
                else:
                    now = time.monotonic_ns()
                    job = _Job(frame, ticket, frame.image, {"decode": (now - frame.decode_ns, now)})
                    self._pass_on(job, outbox)
                if outbox.abandoned:
                    break
        except Exception as error:  # noqa: BLE001, every error belongs to the caller's thread and is raised there
            outbox.close(error)
        else:
            outbox.close()

    def _work(self, stage: Stage, inbox: Slot[_Job], outbox: Slot[_Job]) -> None:
        try:
            while not outbox.abandoned:
                job = inbox.get()
                begin = time.monotonic_ns()
                try:
                    job.value = stage.run(job.value)
                except Exception:
                    self.ledger.failed(job.ticket)
                    raise
                job.spans[stage.name] = (begin, time.monotonic_ns())
                self._pass_on(job, outbox)
        except SlotClosed:
            outbox.close()
        except Exception as error:  # noqa: BLE001, likewise
            outbox.close(error)
        self._drop(inbox.abandon(), STOPPED)

    def _pass_on(self, job: _Job, outbox: Slot[_Job]) -> None:
        displaced = outbox.put(job)
        if displaced is job:
            self._drop(job, STOPPED)
        else:
            self._drop(displaced, SLOW_READER if outbox is self._slots[-1] else NEWER_FRAME)

    def _drop(self, job: _Job | None, reason: str) -> None:
        if job is not None:
            self.ledger.dropped(job.ticket, reason)


def _stamped(frame: Frame, latest: int) -> Frame:
    """Returns the frame with a capture time that can be: not in the future, and not before the frame ahead of it."""
    now = time.monotonic_ns()
    if latest <= frame.captured_ns <= now:
        return frame
    return replace(frame, captured_ns=now)


def stream(
    source: str | int | Source,
    model: str | os.PathLike[str] | Segmenter = DEFAULT_MODEL,
    *,
    engine: str = "auto",
    precision: str = "auto",
) -> Stream:
    """Opens a source and a model and returns the stream of results between them: `for result in stream(0): ...`.

    source: an address (a camera index, a file, rtsp://..., street://...) or an opened Source. model: a bundle's name or
    folder, or a Segmenter from `load`, which stays open afterwards. Given by name, its engine takes all cores for a file
    (most frames a second) and all but one for a live source (steady age). Raises UsageError, SourceError, BundleError, EngineError.
    """
    opened = open_source(source) if isinstance(source, str | int) else source
    if not isinstance(model, str | os.PathLike):
        return Stream(opened, model)
    threads = max(1, usable_cores() - 1) if opened.live else usable_cores()
    try:
        return Stream(opened, load(model, engine=engine, precision=precision, threads=threads), owns_segmenter=True)
    except BaseException:
        opened.close()
        raise
