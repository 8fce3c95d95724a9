"""Cameras, without one: what is said where none is, and what becomes of one that is unplugged."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.core.errors import SourceError, UsageError
from edgeseg.streaming.sources import camera, live
from edgeseg.streaming.sources.camera import CameraSource, cameras


class PluggedCamera:
    """What cv2 shows of a camera that is unplugged after `pictures`. Its driver stamps each picture 20 ms back."""

    opened = 0
    pictures = 3

    def __init__(self, device: str, api: int) -> None:
        type(self).opened += 1
        self._left = self.pictures
        self._settings: dict[int, float] = {cv2.CAP_PROP_FPS: 30.0}

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def set(self, setting: int, value: float) -> bool:
        self._settings[setting] = value
        return True

    def get(self, setting: int) -> float:
        if setting == cv2.CAP_PROP_POS_MSEC:
            return time.monotonic_ns() / 1e6 - 20
        return self._settings.get(setting, 0.0)

    def grab(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        size = int(self.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(self.get(cv2.CAP_PROP_FRAME_WIDTH)), 3
        return True, np.full(size, 100, np.uint8)

    def release(self) -> None:
        pass


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty /dev of its own."""
    monkeypatch.setattr(camera, "DEVICES", tmp_path)
    monkeypatch.setattr(camera.sys, "platform", "linux")
    return tmp_path


@pytest.fixture
def plugged(devices: Path, monkeypatch: pytest.MonkeyPatch) -> type[PluggedCamera]:
    (devices / "video0").touch()
    fresh: Any = type("Fresh", (PluggedCamera,), {"opened": 0})
    monkeypatch.setattr(camera.cv2, "VideoCapture", fresh)
    monkeypatch.setattr(live, "FIRST_PAUSE", 0.001)
    return fresh


@pytest.mark.parametrize("address", ["99", "v4l2:///dev/video99"])
def test_no_such_camera_is_said_soon_and_quietly(
    devices: Path, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    begin = time.monotonic()
    with pytest.raises(SourceError, match=rf"^no camera {address}: none is plugged in$"):
        CameraSource(address)
    assert time.monotonic() - begin < 2
    assert capfd.readouterr() == ("", "")


def test_what_is_no_camera_is_said_quietly(devices: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (devices / "video7").touch()
    with pytest.raises(SourceError, match=r"^camera 7: it can't be opened: does another program use it"):
        CameraSource("7")
    assert capfd.readouterr() == ("", "")


def test_the_cameras_that_are_there_are_named(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("video10", "video2", "videos", "video3"):
        (devices / name).touch()
    monkeypatch.setattr(camera, "_captures", lambda path: path.name != "video3")
    assert cameras() == [str(devices / "video2"), str(devices / "video10")]
    with pytest.raises(SourceError, match=r"this machine has .*video2, .*video10"):
        CameraSource("99")


def test_a_file_is_not_taken_for_a_camera(devices: Path) -> None:
    (devices / "video0").touch()
    assert cameras() == []


def test_a_camera_that_may_not_be_read_tells_the_group(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (devices / "video0").touch()
    monkeypatch.setattr(camera.os, "access", lambda path, mode: False)
    with pytest.raises(SourceError, match=r"may not read it: sudo usermod -aG video \$USER"):
        CameraSource("0")


@pytest.mark.parametrize("address", ["v4l2://camera", "v4l2://", "first"])
def test_an_address_that_names_no_camera(address: str) -> None:
    with pytest.raises(UsageError, match="names no camera"):
        CameraSource(address)


def test_frames_bear_the_stamp_of_the_driver(plugged: type[PluggedCamera]) -> None:
    with CameraSource("0") as source:
        assert source.live
        assert source.fps == 30
        frame = next(iter(source))
    assert frame.image.shape == (720, 1280, 3)
    assert 20 <= (time.monotonic_ns() - frame.captured_ns) / 1e6 < 300


def test_a_camera_too_slow_at_720p_gets_640x480(plugged: type[PluggedCamera], monkeypatch: pytest.MonkeyPatch) -> None:
    def get(self: PluggedCamera, setting: int) -> float:
        return 10.0 if setting == cv2.CAP_PROP_FPS else self._settings.get(setting, 0.0)

    monkeypatch.setattr(plugged, "get", get)
    with CameraSource("0") as source:
        assert next(iter(source)).image.shape == (480, 640, 3)


def test_an_unplugged_camera_is_opened_again(plugged: type[PluggedCamera]) -> None:
    with CameraSource("0") as source:
        frames = list(islice(source, 8))
    assert [frame.index for frame in frames] == list(range(8))
    assert plugged.opened == 3
