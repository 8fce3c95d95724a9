"""A camera that misbehaves on purpose."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event

import cv2
import numpy as np

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import Frame
from edgeseg.streaming.source import Source
from edgeseg.streaming.sources.base import BaseSource
from edgeseg.streaming.sources.query import Number, parse_query

_RATE = Number(0.0, 0.0, 1.0)
_MILLISECONDS = (0, 600_000)
PARAMETERS = {
    "seed": Number(1, 0, 2**31 - 1),
    "stall": _RATE,
    "stall_ms": Number(200, *_MILLISECONDS),
    "disconnect": _RATE,
    "disconnect_ms": Number(500, *_MILLISECONDS),
    "resize": _RATE,
    "truncate": _RATE,
    "clock": _RATE,
    "clock_ms": Number(3000, *_MILLISECONDS),
    "slow_start": Number(0, *_MILLISECONDS),
}
_SCALES = (0.5, 0.75, 1.5)
_LONGEST_RESIZE = 60


class FaultSource(BaseSource):
    """Any source, with faults: "fault://?seed=3&stall=0.01&stall_ms=200&disconnect=0.002&inner=street://?frames=600".

    `inner` stands last and takes the rest of the address. A fault befalls each frame with its own probability; which
    ones, follows from the seed alone. stall: nothing comes for stall_ms. disconnect: frames are lost for
    disconnect_ms, and `status` says so (a source that is not live loses none, it pauses). resize: frames have another
    size for a while, their truth with them. truncate: the lower rows are missing, and `damage` says so. clock:
    captured_ns is wrong by up to clock_ms, also into the future. slow_start: ms before the first frame. Raises
    UsageError for other parameters, and what opening the inner source raises.
    """

    def __init__(self, address: str, open_source: Callable[[str], Source]) -> None:
        query, separator, inner = address.removeprefix("fault://").partition("inner=")
        if not inner or not query.startswith("?") or not query.endswith(("?", "&")):
            raise UsageError(f"{address}: write fault://?PARAMETERS&inner=SOURCE, with inner as the last one")
        self._settings = parse_query("fault", query[1:], PARAMETERS)
        self._inner = open_source(inner)
        self._closed = Event()
        self.address = f"fault://{query}{separator}{self._inner.address}"
        self.live = self._inner.live
        self.fps: float | None = getattr(self._inner, "fps", None)
        self.frames: int | None = getattr(self._inner, "frames", None)

    def __iter__(self) -> Iterator[Frame]:
        settings = self._settings
        rng = random.Random(settings["seed"])
        self._closed.wait(settings["slow_start"] / 1000)
        inner = iter(self._inner)
        index, resized, scale = 0, 0, 1.0
        for frame in inner:
            self.status = self._inner.status
            # Every frame takes the same number of draws, so that one fault's rate does not move another's places.
            stall, disconnect, resize, truncate, clock, to_scale, length, cut, jump = (rng.random() for _ in range(9))
            if stall < settings["stall"]:
                self._closed.wait(settings["stall_ms"] / 1000)
            if disconnect < settings["disconnect"]:
                self._disconnect(inner)
                if self.live:
                    continue
            if self._closed.is_set():
                return
            if resize < settings["resize"]:
                resized, scale = 1 + int(length * _LONGEST_RESIZE), _SCALES[int(to_scale * len(_SCALES))]
            if resized:
                resized -= 1
                frame = _scaled(frame, scale)
            if truncate < settings["truncate"]:
                frame = _truncated(frame, cut)
            wrong = int((2 * jump - 1) * settings["clock_ms"] * 1e6) if clock < settings["clock"] else 0
            yield replace(frame, index=index, captured_ns=frame.captured_ns + wrong)
            index += 1

    def close(self) -> None:
        self._closed.set()
        self._inner.close()

    def _disconnect(self, inner: Iterator[Frame]) -> None:
        """Lets the frames of a live source go by for a while; one that is not live just waits."""
        self.status = "reconnecting: fault:// broke the connection"
        until = time.monotonic() + self._settings["disconnect_ms"] / 1000
        while self.live and time.monotonic() < until and next(inner, None) is not None:
            pass
        self._closed.wait(max(0.0, until - time.monotonic()))
        self.status = ""


def _scaled(frame: Frame, scale: float) -> Frame:
    height, width = frame.image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    truth, ids = frame.truth, frame.truth_ids
    if truth is not None:
        labels = cv2.resize(truth.labels, size, interpolation=cv2.INTER_NEAREST)
        truth = SemanticMask(np.asarray(labels, np.uint8), truth.classes)
    if ids is not None:
        ids = np.asarray(cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST), np.uint16)
    return replace(frame, image=image, truth=truth, truth_ids=ids)


def _truncated(frame: Frame, cut: float) -> Frame:
    height = len(frame.image)
    rows = max(1, int(cut * height))
    damage = f"truncated: {rows} of {height} rows"
    return replace(frame, image=frame.image[:rows], truth=None, truth_ids=None, damage=damage)
