"""Frames of a camera at this machine."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from edgeseg.core.errors import UsageError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.live import LiveSource, LostError
from edgeseg.streaming.sources.quiet import opencv_silenced

DEVICES = Path("/dev")
_WIDTH, _HEIGHT = 1280, 720
_SMOOTH_FPS = 20
_STALE_NS = 300_000_000
_QUERY_CAPABILITIES = 0x80685600  # VIDIOC_QUERYCAP: _IOR('V', 0, struct v4l2_capability of 104 bytes)
_CAPTURES = 0x1 | 0x1000  # V4L2_CAP_VIDEO_CAPTURE, ..._MPLANE
_PROBED_INDICES = 4


def cameras() -> list[str]:
    """Returns the cameras of this machine: device paths on Linux ("/dev/video0"), indices elsewhere ("0")."""
    if sys.platform.startswith("linux"):
        devices = DEVICES.glob("video[0-9]*")
        return [str(path) for path in sorted(devices, key=lambda path: int(path.name[5:])) if _captures(path)]
    with opencv_silenced():
        return [str(index) for index in range(_PROBED_INDICES) if _answers(index)]


class CameraSource(LiveSource):
    """Frames of a camera, by index ("0") or device ("v4l2:///dev/video0"), at 1280x720 where it does that at 20 FPS
    or more.

    captured_ns is the driver's own stamp where it has one, else the moment of reading. A camera that was unplugged is
    opened again once it is back. Raises SourceError where there is no such camera, or none that this user may read.
    """

    def __init__(self, address: str) -> None:
        device = address.removeprefix("v4l2://")
        if device.isdecimal():
            self._index: int | None = int(device)
            self._path = DEVICES / f"video{device}"
        elif address.startswith("v4l2://") and device.startswith("/"):
            self._index, self._path = None, Path(device)
        else:
            raise UsageError(f"{address} names no camera: give an index (0) or v4l2:///dev/video0")
        self._linux = sys.platform.startswith("linux")
        self._camera: cv2.VideoCapture | None = None
        super().__init__(address)

    def _open(self) -> None:
        if self._linux and not self._path.exists():
            raise LostError("there is no such camera")
        if self._linux and not os.access(self._path, os.R_OK | os.W_OK):
            raise LostError("this user may not read it")
        with opencv_silenced():
            if self._linux:
                camera = cv2.VideoCapture(str(self._path), cv2.CAP_V4L2)
            else:
                camera = cv2.VideoCapture(self._index if self._index is not None else str(self._path))
            if not camera.isOpened():
                raise LostError("it can't be opened")
            self._camera = camera
            self._configure(camera)
        self.fps = camera.get(cv2.CAP_PROP_FPS) or None

    def _configure(self, camera: cv2.VideoCapture) -> None:
        """Asks for MJPEG, without which USB 2 carries 1280x720 at 10 FPS only; one that stays slow gets 640x480."""
        camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        camera.set(cv2.CAP_PROP_FRAME_WIDTH, _WIDTH)
        camera.set(cv2.CAP_PROP_FRAME_HEIGHT, _HEIGHT)
        if 0 < camera.get(cv2.CAP_PROP_FPS) < _SMOOTH_FPS:
            camera.set(cv2.CAP_PROP_FRAME_WIDTH, 640)
            camera.set(cv2.CAP_PROP_FRAME_HEIGHT, 480)
        # A buffer is filled while the other is read: more of them would only hold old pictures.
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 2)

    def _read(self, index: int) -> Frame | None:
        camera = self._camera
        assert camera is not None
        with opencv_silenced():
            grabbed = camera.grab()
            begin = time.monotonic_ns()
            ok, image = camera.retrieve() if grabbed else (False, None)
        if not ok or image is None:
            raise LostError("the camera gives no pictures: was it unplugged?")
        now = time.monotonic_ns()
        stamp = int(camera.get(cv2.CAP_PROP_POS_MSEC) * 1e6) if self._linux else 0
        captured = stamp if 0 <= begin - stamp < 10**9 else begin
        stale = begin - captured > _STALE_NS
        return Frame(np.asarray(image, np.uint8), index, captured, self.address, decode_ns=now - begin, stale=stale)

    def _release(self) -> None:
        if self._camera is not None:
            self._camera.release()
            self._camera = None

    def _advice(self, reason: str) -> str:
        if reason == "there is no such camera":
            known = cameras()
            have = f"this machine has {', '.join(known)}" if known else "none is plugged in"
            return f"no camera {self.address}: {have}"
        if reason == "this user may not read it":
            return f"camera {self.address}: {reason}: sudo usermod -aG video $USER, then log in again"
        return f"camera {self.address}: {reason}: does another program use it, or is {self._path} not a camera?"


def _captures(path: Path) -> bool:
    """Tells a camera from the nodes for metadata and codecs beside it. What may not be asked counts as a camera."""
    import fcntl  # not on every system

    capability = bytearray(104)
    try:
        device = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        fcntl.ioctl(device, _QUERY_CAPABILITIES, capability)
    except OSError:
        return False
    finally:
        os.close(device)
    return bool(int.from_bytes(capability[88:92], sys.byteorder) & _CAPTURES)


def _answers(index: int) -> bool:
    camera = cv2.VideoCapture(index)
    try:
        return camera.isOpened()
    finally:
        camera.release()
