"""What every row is timed on: one clip, read as a file or paced like a camera."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from threading import Event

import av
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource
from edgeseg.streaming.sources.clock import STALE_NS
from edgeseg.streaming.sources.video import VideoSource
from edgeseg.synthetic import Street

FPS = 30
FRAMES = 120
SIZE = (1280, 720)


def write_street(path: Path, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> str:
    """Renders the street into an H.264 clip and returns what to call it; live, rendering would take a core of its own."""
    street = Street(seed=1, width=size[0], height=size[1], fps=FPS)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(street.render(index).image, format="bgr24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return f"street, {frames} frames of {size[0]}x{size[1]}, H.264"


def frame_of(path: Path, number: int) -> NDArray[np.uint8]:
    """Returns a frame of a clip, or the last one of a clip that ends before it: uint8 [H, W, 3] BGR. Raises SourceError."""
    with VideoSource(path) as video:
        frames = [frame for frame in islice(video, number + 1) if not frame.damage]
    if not frames:
        raise SourceError(f"{path}: none of the first {number + 1} frames is sound; give another --clip")
    return frames[-1].image


class ClipSource(BaseSource):
    """Plays a clip from its beginning, over and over, for so many seconds; then it ends.

    fps None: like a file, every frame as fast as it is taken. Else live, as a camera that sends compressed frames: each is
    due by the clock, captured_ns is when, and decoding it comes after that. Raises SourceError as `VideoSource` does.
    """

    def __init__(self, path: Path, seconds: float, fps: float | None = None) -> None:
        self.address, self.live, self.fps = str(path), fps is not None, fps
        self._path, self._length_ns = path, round(seconds * 1e9)
        self._video = VideoSource(path)
        self._closed = Event()

    def __iter__(self) -> Iterator[Frame]:
        pictures = self._pictures()
        start = time.monotonic_ns()
        for index in itertools.count():
            now = time.monotonic_ns()
            due = start + round(index * 1e9 / self.fps) if self.fps else now
            if due - start >= self._length_ns or self._closed.wait(max(0, due - now) / 1e9):
                return
            frame = next(pictures)
            late = time.monotonic_ns() - due > STALE_NS
            if self.live:
                frame = replace(frame, captured_ns=due, stale=late)
            yield replace(frame, index=index)

    def close(self) -> None:
        self._closed.set()
        self._video.close()

    def _pictures(self) -> Iterator[Frame]:
        while True:
            yield from self._video
            self._video.close()
            if self._closed.is_set():
                return
            self._video = VideoSource(self._path)
