"""Frames of a video file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource, damaged_frame
from edgeseg.streaming.sources.extent import promised_bytes
from edgeseg.streaming.sources.pictures import damage_of, decoded, expected_frames, picture_stream, to_bgr

_ONE_THREAD_PIXELS = 1920 * 1088


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
        self._container = _opened(self._path)
        stream = picture_stream(self._container)
        if stream is None:
            self._container.close()
            raise SourceError(f"{self.address} holds no pictures, only sound or data")
        # One thread costs the fewest core-ms (1.0 a 720p frame against 1.15 with two); beyond full HD it is too slow.
        large = stream.width * stream.height > _ONE_THREAD_PIXELS
        stream.thread_type = "AUTO" if large else "SLICE"
        stream.codec_context.thread_count = 0 if large else 1
        self._stream = stream
        self.fps = float(stream.average_rate) if stream.average_rate else None
        self.frames = expected_frames(self._container, stream)

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        begin = time.monotonic_ns()
        for picture in self._pictures():
            if isinstance(picture, VideoFrame):
                image = to_bgr(picture)
                took = time.monotonic_ns() - begin
                yield Frame(image, index, begin, self.address, decode_ns=took, damage=damage_of(picture))
            else:
                yield damaged_frame(index, begin, self.address, picture)
            index += 1
            begin = time.monotonic_ns()
        if index == 0 and not self._closed:
            raise SourceError(f"{self.address} holds no frame that can be decoded: is it damaged?")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._container.close()

    def _pictures(self) -> Iterator[VideoFrame | str]:
        """Yields pictures, or why there is none. Raises SourceError at the end of a file that was cut off."""
        packets = self._container.demux(self._stream)
        read = count = 0
        torn: av.Packet | None = None  # a packet that came short: the file's end, unless another one follows
        while True:
            pictures: list[VideoFrame | str] = []
            with self._lock:
                packet = None if self._closed else next(packets, None)
                if packet is None:
                    break
                if torn and packet.size:
                    pictures, torn = decoded(torn), None
                if packet.is_corrupt:
                    torn = packet
                else:
                    pictures += decoded(packet)
            read += bool(packet.size)
            count += len(pictures)
            yield from pictures
        if not self._closed and (torn or self._is_short(read)):
            of_all = f" of {self.frames}" if self.frames and self.frames > count else ""
            raise SourceError(
                f"{self.address} is cut off: it ends after frame {count}{of_all}; the frames up to there were delivered"
            )

    def _is_short(self, packets: int) -> bool:
        if self._stream.frames and packets >= self._stream.frames:
            return False
        return promised_bytes(self._path) > self._path.stat().st_size


def _opened(path: Path) -> InputContainer:
    try:
        # "file:" keeps a name with a colon from being taken for a protocol.
        return av.open(f"file:{path}", metadata_errors="replace")
    except FileNotFoundError as error:
        raise SourceError(f"no such file: {path}") from error
    except PermissionError as error:
        raise SourceError(f"{path} may not be read by this user: check its permissions") from error
    except IsADirectoryError as error:
        raise SourceError(f"{path} is a folder, not a video") from error
    except (FFmpegError, OSError) as error:
        size = path.stat().st_size
        if size == 0:
            raise SourceError(f"{path} is empty") from error
        if promised_bytes(path) > size:
            raise SourceError(
                f"{path} is cut off before its index, without which nothing of it can be read: copy it again"
            ) from error
        raise SourceError(f"{path} is no video that FFmpeg knows, or is damaged at its beginning") from error
