"""The pictures that the benchmarks run on: a rendered 1280x720 drive, as an H.264 clip or held in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource
from edgeseg.synthetic import Street

FPS = 30


def rendered_frames(count: int, seed: int = 1) -> list[NDArray[np.uint8]]:
    """Returns frames of the street, uint8 [720, 1280, 3] BGR."""
    street = Street(seed=seed, width=1280, height=720, fps=FPS)
    return [street.render(index).image for index in range(count)]


def rendered_clip(path: Path, count: int) -> Path:
    """Writes the street as an H.264 clip, if it is not there yet, and returns its path."""
    if path.is_file():
        return path
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for index, image in enumerate(rendered_frames(count)):
            picture = av.VideoFrame.from_ndarray(image, format="bgr24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


class FramesInMemory(BaseSource):
    """Plays frames over and over, `count` of them: paced at `fps` like a camera, or as fast as they are taken."""

    def __init__(self, images: list[NDArray[np.uint8]], count: int, fps: float | None = None) -> None:
        self.address, self.live, self.fps, self.frames = "memory", fps is not None, fps, count
        self._images = images
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        for index in range(self.frames or 0):
            if self.fps:
                time.sleep(max(0.0, start + index / self.fps - time.monotonic()))
            if self._closed:
                return
            yield Frame(self._images[index % len(self._images)], index, time.monotonic_ns(), self.address)

    def close(self) -> None:
        self._closed = True
