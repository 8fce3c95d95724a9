"""Frames of the rendered street, with their exact label maps and instances."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from threading import Event

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.core.errors import UsageError
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource
from edgeseg.streaming.sources.query import Number, Size, parse_query
from edgeseg.synthetic import Street

PARAMETERS = {
    "seed": Number(1, 0, 2**31 - 1),
    "size": Size((1280, 720), (32, 24), (4096, 4096)),
    "fps": Number(30.0, 1.0, 240.0),
    "frames": Number(None, 1, 2**31 - 1),
    "live": Number(1, 0, 1),
}


class StreetSource(BaseSource):
    """A drive through the rendered street: "street://?seed=1&size=1280x720&fps=30&frames=600&live=1".

    With live=1 the drive goes on by the clock, like before a camera: a picture is rendered ahead and handed over when
    it is due, and a machine too slow for that sees every second or third moment of it. captured_ns is when the
    picture was due, or when it was finished if that was later. With live=0 every frame comes, as fast as it is
    rendered. decode_ns is the time of rendering. `frames` ends the drive. Raises UsageError for parameters that it
    doesn't take.
    """

    def __init__(self, address: str) -> None:
        place, _, query = address.removeprefix("street://").partition("?")
        if place:
            raise UsageError(f"{address}: nothing stands between street:// and its ?parameters")
        values = parse_query("street", query, PARAMETERS)
        self.address = address
        self.live = bool(values["live"])
        self._fps = float(values["fps"])
        self.fps = self._fps
        self.frames = values["frames"]
        width, height = values["size"]
        self._street = Street(seed=values["seed"], width=width, height=height, fps=self._fps)
        self._closed = Event()

    def __iter__(self) -> Iterator[Frame]:
        shown = itertools.count() if self.frames is None else range(self.frames)
        moment = 0
        start: int | None = None
        for index in shown:
            begin = time.monotonic_ns()
            view = self._street.render(moment)
            done = time.monotonic_ns()
            # The drive starts with its first picture, however long that took to prepare.
            start = done if start is None else start
            due = start + round(moment * 1e9 / self._fps)
            if self.live:
                self._closed.wait(max(0, due - done) / 1e9)
            if self._closed.is_set():
                return
            captured = max(due, done) if self.live else begin
            truth = SemanticMask(view.labels, STREET_CLASSES)
            yield Frame(
                view.image,
                index,
                captured,
                self.address,
                decode_ns=done - begin,
                truth=truth,
                truth_ids=view.instances,
            )
            elapsed = (time.monotonic_ns() - start) / 1e9
            moment = max(moment + 1, int(elapsed * self._fps)) if self.live else moment + 1

    def close(self) -> None:
        self._closed.set()
