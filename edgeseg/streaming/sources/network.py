"""Frames of a camera on the network."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError, HTTPClientError, HTTPServerError, HTTPUnauthorizedError
from av.video.frame import VideoFrame

from edgeseg.core.errors import SourceError, UsageError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.address import without_credentials
from edgeseg.streaming.sources.base import damaged_frame
from edgeseg.streaming.sources.clock import CaptureClock
from edgeseg.streaming.sources.live import LiveSource, LostError
from edgeseg.streaming.sources.pictures import damage_of, decoded, expected_frames, picture_stream, to_bgr

OPEN_SECONDS = 4.0
READ_SECONDS = 2.0
_BEHIND_NS = 3_000_000_000
_STAMPED = {"rtsp", "mpegts", "flv", "matroska,webm"}
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

# A long analysis would only make a backlog: what the decoder must know comes with the stream.
_OPTIONS = {"flags": "low_delay", "analyzeduration": "1000000"}
_RTSP_OPTIONS = {"flags": "low_delay", "analyzeduration": "100000", "fpsprobesize": "0", "rtsp_flags": "prefer_tcp"}


class NetworkSource(LiveSource):
    """Frames of an rtsp, http, udp or tcp stream, as they come. Whatever breaks, it is opened again, for ever.

    A file of known length on an http server is read like a file: not live, every frame, to its end. captured_ns is
    estimated from the stream's stamps where it has some (see `CaptureClock`); what network and decoder always take,
    about a frame, is not in it. Frames of a backlog are `stale`; a stream that stays behind for 3 s is opened again.
    User and password of the address are shown nowhere. Raises SourceError where nobody answers at first.
    """

    def __init__(self, url: str) -> None:
        try:
            self._parts = urlsplit(url)
            self._parts.port  # noqa: B018, parsed on access
        except ValueError as error:
            raise UsageError(f"{without_credentials(url)} is not an address: {error}") from error
        if not self._parts.hostname:
            raise UsageError(f"{without_credentials(url)} names no host: give for example rtsp://192.168.1.20/stream")
        self._url = url
        self._container: InputContainer | None = None
        self._packets: Iterator[av.Packet] = iter(())
        self._waiting: deque[tuple[VideoFrame | str, int, int]] = deque()
        self._clock = CaptureClock()
        super().__init__(without_credentials(url))

    def _open(self) -> None:
        scheme = self._parts.scheme
        options = _RTSP_OPTIONS if scheme.startswith("rtsp") else _OPTIONS
        begin = time.monotonic()
        try:
            container = av.open(self._url, options=options, timeout=(OPEN_SECONDS, READ_SECONDS))
        except (FFmpegError, OSError) as error:
            out_of_time = time.monotonic() - begin >= OPEN_SECONDS
            raise LostError("no answer" if out_of_time else self._why(error)) from error
        self._container = container
        stream = picture_stream(container)
        if stream is None:
            raise LostError("it sends no pictures")
        # Decoding whole frames in parallel would hold each back by as many frames as there are threads.
        stream.thread_type = "SLICE"
        self.fps = float(stream.average_rate) if stream.average_rate else None
        if scheme.startswith("http") and container.duration:
            self.live, self.frames = False, expected_frames(container, stream)
        self._stamped = self.live and container.format.name in _STAMPED
        self._packets = container.demux(stream)
        self._clock.restart()
        self._fresh_ns = time.monotonic_ns()

    def _read(self, index: int) -> Frame | None:
        if not self._waiting:
            self._fetch(index)
        if not self._waiting:
            return None
        picture, arrival, took = self._waiting.popleft()
        if isinstance(picture, str):
            return damaged_frame(index, arrival, self.address, picture)
        captured, stale = self._captured(picture, arrival)
        begin = time.monotonic_ns()
        image = to_bgr(picture)
        took += time.monotonic_ns() - begin
        return Frame(image, index, captured, self.address, decode_ns=took, damage=damage_of(picture), stale=stale)

    def _fetch(self, index: int) -> None:
        """Takes one packet from the network and decodes what it completes."""
        begin = time.monotonic()
        try:
            packet = next(self._packets, None)
            # Out of time, FFmpeg first hands over the packet that it still held back.
            if time.monotonic() - begin >= READ_SECONDS:
                raise TimeoutError
        except (FFmpegError, OSError) as error:
            reason = self._why(error)
            if not self.live:
                raise SourceError(f"{self.address} broke off after frame {index} of {self.frames}: {reason}") from error
            raise LostError(reason) from error
        arrival = time.monotonic_ns()
        # An empty packet says that the end was reached; a file's decoder then gives the pictures that it held back.
        if packet is None or (packet.size == 0 and self.live):
            if not self.live:
                raise StopIteration
            raise LostError("the server ended the stream")
        pictures = decoded(packet)
        took = time.monotonic_ns() - arrival
        self._waiting.extend((picture, arrival, took // len(pictures)) for picture in pictures)

    def _captured(self, picture: VideoFrame, arrival: int) -> tuple[int, bool]:
        """Returns when the picture was captured, and whether it is stale. Raises LostError if all are."""
        if not self._stamped:
            return arrival, False
        stamp = None if picture.pts is None else int(picture.pts * (picture.time_base or 1) * 10**9)
        captured, stale = self._clock.captured(stamp, arrival)
        if not stale:
            self._fresh_ns = arrival
        elif arrival - self._fresh_ns > _BEHIND_NS:
            raise LostError("the stream fell behind")
        return captured, stale

    def _release(self) -> None:
        self._waiting.clear()
        self._packets = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None

    def _why(self, error: Exception) -> str:
        match error:
            case ConnectionRefusedError():
                return "connection refused"
            case HTTPUnauthorizedError():
                return "it asks for a user and password"
            case HTTPClientError() | HTTPServerError():
                return str(error.strerror).lower()
            case ExitError() | TimeoutError():
                return "no answer"
            case _:
                return "the connection broke"

    def _advice(self, reason: str) -> str:
        match reason:
            case "it asks for a user and password":
                return f"{self.address}: {reason}: give {self._parts.scheme}://USER:PASSWORD@{self._parts.hostname}/..."
            case "connection refused" | "no answer" | "the connection broke":
                reason = self._unreachable() or reason
                return f"{self.address}: nobody answers ({reason}): is the camera on, is the address right?"
            case _:
                return f"{self.address}: {reason}: is the address right?"

    def _unreachable(self) -> str:
        """Returns why the host itself can't be reached, which FFmpeg does not tell; "" where it can."""
        port = self._parts.port or _PORTS.get(self._parts.scheme)
        if port is None or self._parts.scheme == "udp":
            return ""
        try:
            with socket.create_connection((self._parts.hostname or "", port), timeout=1.0):
                return ""
        except socket.gaierror:
            return "the host's name is unknown"
        except OSError as error:
            return (error.strerror or "no answer").lower()
