"""Frames of a GStreamer pipeline, such as a Jetson's CSI camera."""

from __future__ import annotations

import re
import time

import cv2
import numpy as np

from edgeseg.core.errors import SourceError, UsageError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.live import LiveSource, LostError
from edgeseg.streaming.sources.quiet import opencv_silenced

_TAIL = " ! videoconvert ! video/x-raw,format=BGR ! appsink max-buffers=1 sync=false drop="
_ENDS = ("filesrc", "num-buffers=")


def has_gstreamer() -> bool:
    """Returns whether this OpenCV was built with GStreamer (pip's wheels are not, JetPack's and Debian's are)."""
    return re.search(r"^\s*GStreamer:\s*YES", cv2.getBuildInformation(), re.MULTILINE) is not None


class GStreamerSource(LiveSource):
    """Frames of "gst:PIPELINE", as they come: `gst:nvarguscamerasrc ! nvvidconv ! video/x-raw,format=BGRx`.

    A pipeline without an appsink gets one that holds the newest BGR picture. captured_ns is the moment of reading. A
    pipeline that stops is started again. One that reads a file or counts its buffers is not live: it gives every frame
    and ends. Raises SourceError where OpenCV has no GStreamer or the pipeline does not start.
    """

    def __init__(self, address: str) -> None:
        pipeline = address.removeprefix("gst:").strip()
        if not pipeline:
            raise UsageError("gst: names no pipeline: give for example 'gst:v4l2src device=/dev/video0'")
        if not has_gstreamer():
            raise SourceError(
                "this OpenCV has no GStreamer (pip's wheels never have): on a Jetson use JetPack's own, on Debian "
                "apt install python3-opencv, in an environment without pip's opencv that sees the system's packages"
            )
        self.live = not any(word in pipeline for word in _ENDS)
        tail = _TAIL + ("true" if self.live else "false")
        self._pipeline = pipeline if "appsink" in pipeline else pipeline.rstrip(" !") + tail
        self._capture: cv2.VideoCapture | None = None
        super().__init__(address)

    def _open(self) -> None:
        with opencv_silenced():
            self._capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            raise LostError("the pipeline does not start")
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or None

    def _read(self, index: int) -> Frame | None:
        capture = self._capture
        assert capture is not None
        with opencv_silenced():
            grabbed = capture.grab()
            arrival = time.monotonic_ns()
            ok, image = capture.retrieve() if grabbed else (False, None)
        if not ok or image is None:
            if not self.live:
                raise StopIteration
            raise LostError("the pipeline gives no more pictures")
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
        took = time.monotonic_ns() - arrival
        return Frame(np.asarray(image, np.uint8), index, arrival, self.address, decode_ns=took)

    def _release(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _advice(self, reason: str) -> str:
        return f"{self.address}: {reason}: try it with gst-launch-1.0 first, which says what is wrong with it"
