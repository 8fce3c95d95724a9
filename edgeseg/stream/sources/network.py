"""Frames of a camera on the network."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

import av
from av.video.frame import VideoFrame

from edgeseg.core.errors import SourceError, UsageError
from edgeseg.core.result import Frame
from edgeseg.stream.sources.address import without_credentials
from edgeseg.stream.sources.clock import CaptureClock
from edgeseg.stream.sources.live import LiveSource, Lost

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

    A file of known length on an http server is read like a file: not live, every frame, to its end.
    captured_ns is estimated from the stream's stamps where it has some (see `CaptureClock`); what network and decoder always
    take, about a frame, is not in it. Frames of a backlog are `stale`; a stream that stays behind for 3 s is opened again.
    User and password of the address are shown nowhere. Raises SourceError where nobody answers at first.
    """

    def __init__(self, url: str) -> None:
        try:
            self._parts = urlsplit(url)
            port = self._parts.port
        except ValueError as error:
            raise UsageError(f"{without_credentials(url)} is not an address: {error}") from error
        if not self._parts.hostname:
            raise UsageError(f"{without_credentials(url)} names no host: give for example rtsp://192.168.1.20:554/stream")
        self._port = port or _PORTS.get(self._parts.scheme)
        self._url = url
        self._container: av.container.InputContainer | None = None
        self._packets: Iterator[av.Packet] = iter(())
        self._waiting: deque[tuple[VideoFrame, int]] = deque()
        self._clock = CaptureClock()
        super().__init__(without_credentials(url))
        self.live = self.frames is None

    def _open(self) -> None:
        rtsp = self._parts.scheme.startswith("rtsp")
        begin = time.monotonic()
        try:
            self._container = av.open(
                self._url, options=_RTSP_OPTIONS if rtsp else _OPTIONS, timeout=(OPEN_SECONDS, READ_SECONDS)
            )
        except (av.error.FFmpegError, OSError) as error:
            raise Lost(self._why(error, time.monotonic() - begin)) from error
        if not self._container.streams.video:
            raise Lost("it sends no pictures")
        stream = self._container.streams.video[0]
        # Decoding whole frames in parallel would hold each back by as many frames as there are threads.
        stream.thread_type = "SLICE"
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate else None
        if self._parts.scheme.startswith("http") and self._container.duration and self.fps:
            self.frames = stream.frames or round(self._container.duration / av.time_base * self.fps)
        self._stamped = self._container.format.name in _STAMPED
        self._packets = self._container.demux(stream)
        self._clock.restart()
        self._fresh_ns = time.monotonic_ns()

    def _read(self, index: int) -> Frame | None:
        if not self._waiting:
            self._fetch()
        if not self._waiting:
            return None
        begin = time.monotonic_ns()
        picture, arrival = self._waiting.popleft()
        image = picture.to_ndarray(format="bgr24", threads=1)
        captured, stale = arrival, False
        if self._stamped and self.live:
            known = picture.pts is not None and picture.time_base
            captured, stale = self._clock.captured(int(picture.pts * picture.time_base * 10**9) if known else None, arrival)
        if not stale:
            self._fresh_ns = arrival
        elif arrival - self._fresh_ns > _BEHIND_NS:
            raise Lost("the stream fell behind and did not catch up")
        took = time.monotonic_ns() - begin + self._decode_ns
        self._decode_ns = 0
        damage = "the decoder reports missing data" if picture.is_corrupt else ""
        return Frame(image, index, captured, self.address, decode_ns=took, damage=damage, stale=stale)

    def _fetch(self) -> None:
        """Takes one packet from the network and decodes what it completes."""
        begin = time.monotonic()
        try:
            packet = next(self._packets, None)
            if packet is None or packet.size == 0 and self.live:
                raise Lost("the server ended the stream")
        except (av.error.FFmpegError, OSError) as error:
            raise Lost(self._why(error, time.monotonic() - begin)) from error
        arrival = time.monotonic_ns()
        try:
            self._waiting.extend((picture, arrival) for picture in packet.decode() if isinstance(picture, VideoFrame))
        except av.error.InvalidDataError:
            pass
        self._decode_ns = time.monotonic_ns() - arrival

    def _release(self) -> None:
        self._waiting.clear()
        self._packets = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None
