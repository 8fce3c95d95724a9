"""What a source of frames is, and which one an address means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from edgeseg.core.errors import UsageError
from edgeseg.core.result import Frame

FORMS = "a camera index, a file, a folder or glob of images, rtsp://, http://, v4l2:///dev/video0, gst:PIPELINE, street://, fault://"


class Source(Protocol):
    """Iterates frames, once. Opened by its constructor, which raises SourceError where nothing is there.

    address: what the user called it.
    live: frames come at their own pace and may be overwritten by newer ones; else none may be lost.
    status: "" while frames flow, else what it waits for ("reconnecting: connection refused"), for people to read.
    """

    address: str
    live: bool
    status: str

    def __iter__(self) -> Iterator[Frame]:
        """Yields frames with ascending `index`. Raises SourceError where it ends before its end."""
        ...

    def close(self) -> None:
        """Lets go of the device or file. May be called from another thread, and twice; the iteration then ends soon."""
        ...

    def __enter__(self) -> Source: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_source(address: str | int) -> Source:
    """Opens the source that an address means. Raises UsageError for a malformed one, SourceError where nothing is there."""
    text = str(address)
    scheme, colon, _ = text.partition(":")
    match scheme if colon else "":
        case "rtsp" | "rtsps" | "http" | "https" | "udp" | "tcp":
            from edgeseg.stream.sources.network import NetworkSource

            return NetworkSource(text)
        case "v4l2":
            from edgeseg.stream.sources.camera import CameraSource

            return CameraSource(text)
        case "gst":
            from edgeseg.stream.sources.gstreamer import GStreamerSource

            return GStreamerSource(text)
        case "street":
            from edgeseg.stream.sources.street import StreetSource

            return StreetSource(text)
        case "fault":
            from edgeseg.stream.sources.fault import FaultSource

            return FaultSource(text, open_source)
        case _ if "://" in text:
            raise UsageError(f"no kind of source begins with {scheme}://: give {FORMS}")
        case _ if text.isdecimal():
            from edgeseg.stream.sources.camera import CameraSource

            return CameraSource(text)
        case _:
            return _open_path(text)


def _open_path(text: str) -> Source:
    path = Path(text)
    if path.is_dir() or any(character in text for character in "*?["):
        from edgeseg.stream.sources.images import ImagesSource

        return ImagesSource(text)
    from edgeseg.stream.sources.video import VideoSource

    return VideoSource(text)
