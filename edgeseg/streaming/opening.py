"""Which source an address means."""

from __future__ import annotations

from pathlib import Path

from edgeseg.core.errors import UsageError
from edgeseg.streaming.source import Source

FORMS = "a camera index, a file, a folder or glob of images, rtsp://, http://, v4l2:///dev/video0, gst:PIPELINE, street://, fault://"


def open_source(address: str | int) -> Source:
    """Opens the source that an address means. Raises UsageError for a malformed one, SourceError where nothing is there."""
    text = str(address)
    scheme, colon, _ = text.partition(":")
    match scheme if colon else "":
        case "rtsp" | "rtsps" | "http" | "https" | "udp" | "tcp":
            from edgeseg.streaming.sources.network import NetworkSource

            return NetworkSource(text)
        case "v4l2":
            from edgeseg.streaming.sources.camera import CameraSource

            return CameraSource(text)
        case "gst":
            from edgeseg.streaming.sources.gstreamer import GStreamerSource

            return GStreamerSource(text)
        case "street":
            from edgeseg.streaming.sources.street import StreetSource

            return StreetSource(text)
        case "fault":
            from edgeseg.streaming.sources.fault import FaultSource

            return FaultSource(text, open_source)
        case _ if "://" in text:
            raise UsageError(f"no kind of source begins with {scheme}://: give {FORMS}")
        case _ if text.isdecimal():
            from edgeseg.streaming.sources.camera import CameraSource

            return CameraSource(text)
        case _:
            return _open_path(text)


def _open_path(text: str) -> Source:
    path = Path(text)
    if path.is_dir() or any(character in text for character in "*?["):
        from edgeseg.streaming.sources.images import ImagesSource

        return ImagesSource(text)
    from edgeseg.streaming.sources.video import VideoSource

    return VideoSource(text)
