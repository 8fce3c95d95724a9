"""Frames of a video file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.stream.sources.base import BaseSource, damaged_frame
from edgeseg.stream.sources.extent import promised_bytes

_ONE_THREAD_PIXELS = 1920 * 1088
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, -90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, -180: cv2.ROTATE_180}


class VideoSource(BaseSource):
    """Every frame of a file that FFmpeg reads, upright, in order, as fast as they are taken.

    captured_ns is when the work on the frame began, decode_ns what reading, decoding and the conversion to BGR took.
    A packet that can't be decoded gives a frame with `damage`. Raises SourceError where the file can't be read, and,
    after the frames before it, where the file was cut off.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.address = os.fspath(path)
        self._path = Path(path)
        self._lock = Lock()
        self._closed = False
        self._container = _open(self._path)
        self._stream = _picture_stream(self._container, self.address)
        # One thread costs the fewest core-ms (1.0 a 720p frame against 1.15 with two); beyond full HD it gets too slow.
        large = self._stream.width * self._stream.height > _ONE_THREAD_PIXELS
        self._stream.thread_type = "AUTO" if large else "SLICE"
        self._stream.codec_context.thread_count = 0 if large else 1
        rate = self._stream.average_rate
        self.fps = float(rate) if rate else None
        self.frames = _expected_frames(self._container, self._stream)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        begin = time.monotonic_ns()
        for picture in self._pictures():
            if isinstance(picture, VideoFrame):
                image = _upright(picture)
                took = time.monotonic_ns() - begin
                damage = "the decoder reports missing data" if picture.is_corrupt else ""
                yield Frame(image, index, begin, self.address, decode_ns=took, damage=damage)
            else:
                yield damaged_frame(index, begin, self.address, picture)
            index += 1
            begin = time.monotonic_ns()
        if not self._closed and index == 0:
            raise SourceError(f"{self.address} holds no frame that can be decoded: is it damaged?")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._container.close()

    def _pictures(self) -> Iterator[VideoFrame | str]:
        """Yields decoded pictures, or why there is none. Raises SourceError at the place where the file was cut off."""
        packets = self._container.demux(self._stream)
        read = yielded = 0
        torn = None
        while True:
            decoded: list[VideoFrame | str] = []
            with self._lock:
                packet = None if self._closed else next(packets, None)
                if packet is None:
                    break
                if torn and packet.size:
                    decoded += _decoded(torn)
                    torn = None
                if packet.is_corrupt:
                    torn = packet
                else:
                    decoded += _decoded(packet)
            read += bool(packet.size)
            yielded += len(decoded)
            yield from decoded
        if self._closed:
            return
        short = promised_bytes(self._path) > self._path.stat().st_size and not read == self._stream.frames > 0
        if torn or short:
            of_all = f" of {self.frames}" if self.frames and self.frames > yielded else ""
            raise SourceError(
                f"{self.address} is cut off: it ends after frame {yielded}{of_all}; the frames before were delivered. "
                "Copy it again if the original is whole."
            )


def _open(path: Path) -> av.container.InputContainer:
    try:
        # "file:" keeps names with a colon from being taken for a protocol.
        return av.open(f"file:{path}", metadata_errors="replace")
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}") from error
    except PermissionError as error:
        raise SourceError(f"{path} may not be read by this user: check its permissions") from error
    except IsADirectoryError as error:
        raise SourceError(f"{path} is a folder, not a video") from error
    except (av.error.FFmpegError, OSError) as error:
        size = path.stat().st_size
        if size == 0:
            raise SourceError(f"{path} is empty") from error
        if promised_bytes(path) > size:
            raise SourceError(
                f"{path} is cut off before its index, without which nothing of it can be read: copy it again"
            ) from error
        raise SourceError(f"{path} is not a video that FFmpeg knows, or is damaged at its beginning") from error


def _picture_stream(container: av.container.InputContainer, address: str) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    container.close()
    raise SourceError(f"{address} holds no pictures, only sound or data")


def _expected_frames(container: av.container.InputContainer, stream: VideoStream) -> int | None:
    if stream.frames:
        return stream.frames
    if not stream.average_rate:
        return None
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * stream.average_rate)
    return round(container.duration * stream.average_rate / av.time_base) if container.duration else None


def _decoded(packet: av.Packet) -> list[VideoFrame | str]:
    try:
        return [frame for frame in packet.decode() if isinstance(frame, VideoFrame)]
    except av.error.InvalidDataError:
        return ["a frame could not be decoded: invalid data"]
    except av.error.EOFError:  # a decoder that was flushed has no more
        return []


def _upright(picture: VideoFrame) -> NDArray[np.uint8]:
    """Returns uint8 [H, W, 3], BGR, turned as the file's metadata says."""
    image = picture.to_ndarray(format="bgr24", threads=1)
    turn = _TURNS.get(picture.rotation)
    return image if turn is None else cv2.rotate(image, turn)
