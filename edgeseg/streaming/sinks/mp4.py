"""The painted pictures as an H.264 clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from av import VideoFrame, codecs_available
from av import open as open_container
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from edgeseg.core.errors import SinkError
from edgeseg.core.result import Result
from edgeseg.streaming.sinks.files import draft_beside
from edgeseg.streaming.sinks.picture import Painter

ENDINGS = (".mp4", ".mov", ".mkv")
ENCODER = "libx264"
CLOCK = Fraction(1, 90_000)
OPTIONS = {"preset": "ultrafast", "crf": "25", "x264-params": "no-deblock=0", "threads": "1"}
"""5 core-ms a picture of 1280x720, against 11 for superfast, which makes the file a third smaller and looks no better.
Deblocking, which ultrafast leaves out, costs nothing that can be measured."""


class Mp4Sink:
    """Records to a temporary name and renames at the end, so that a clip is there whole or not at all.

    fps: the pace of a source that is not live; None stamps each picture with its capture time, so that a live recording
    plays at its true speed, drops and all. A picture of another size than the first is fitted into it, with black bars.
    Raises UsageError or SinkError where it can't be written.
    """

    def __init__(self, path: Path, painter: Painter, fps: float | None) -> None:
        self._path, self._painter, self._fps = path, painter, fps
        self._draft = draft_beside(path, ENDINGS)
        if ENCODER not in codecs_available:
            raise SinkError(f"{path}: this PyAV has no {ENCODER}: pip install --force-reinstall --only-binary av av")
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._first_ns = 0
        self._count, self._last_pts = 0, -1

    def write(self, result: Result) -> None:
        """Encodes one picture. Raises SinkError where the disk is full."""
        picture = self._painter.paint(result)
        try:
            if self._container is None or self._stream is None:
                self._container, self._stream = self._open(picture)
                self._first_ns = result.frame.captured_ns
            fitted = _fitted(picture, self._stream.width, self._stream.height)
            # Only borrowed: the encoder turns it into a YUV picture of its own before it returns.
            frame = VideoFrame.from_numpy_buffer(fitted, format="bgr24")
            frame.pts, frame.time_base = self._pts(result), CLOCK
            self._container.mux(self._stream.encode(frame))
        except (FFmpegError, OSError) as error:
            raise SinkError(f"{self._path}: recording stopped ({error.strerror}); is the disk full?") from error
        self._count += 1

    def close(self) -> str:
        """Finishes the clip and returns its path, "" where no picture came. Raises SinkError."""
        container, self._container = self._container, None
        if container is None or self._stream is None:
            return str(self._path) if self._count else ""
        try:
            container.mux(self._stream.encode(None))
            container.close()
            self._draft.replace(self._path)
        except (FFmpegError, OSError) as error:
            raise SinkError(f"{self._path} could not be finished ({error.strerror}); is the disk full?") from error
        finally:
            self._draft.unlink(missing_ok=True)
        return str(self._path)

    def _open(self, picture: NDArray[np.uint8]) -> tuple[OutputContainer, VideoStream]:
        container = open_container(str(self._draft), "w", options={"movflags": "+faststart"})
        rate = Fraction(self._fps).limit_denominator(1001) if self._fps else 30
        stream = container.add_stream(ENCODER, rate=rate, options=OPTIONS)
        # H.264 in its usual 4:2:0 has even sides only.
        stream.height, stream.width = (max(2, side // 2 * 2) for side in picture.shape[:2])
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = CLOCK
        # Which matrix made YUV of RGB: unsaid, players guess another one for large pictures and tint them.
        stream.codec_context.colorspace, stream.codec_context.color_range = Colorspace.ITU601, ColorRange.MPEG
        return container, stream

    def _pts(self, result: Result) -> int:
        if self._fps:
            seconds = Fraction(self._count) / Fraction(self._fps).limit_denominator(1001)
        else:
            seconds = Fraction(result.frame.captured_ns - self._first_ns, 1_000_000_000)
        self._last_pts = max(self._last_pts + 1, round(seconds / CLOCK))
        return self._last_pts


def _fitted(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if picture.shape[0] - height in (0, 1) and picture.shape[1] - width in (0, 1):
        return np.ascontiguousarray(picture[:height, :width])
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale))
    inside = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = inside
    return canvas
