"""A planner gets the newest masks, or learns why there are none that are fresh."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import edgeseg
from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource

LONG = 60_000.0


class Camera(BaseSource):
    """Gives a frame each time it is told to, and fails or ends when told so."""

    def __init__(self) -> None:
        self.address, self.live = "camera 0", True
        self._told = Event()
        self._frames, self._error, self._ended = 0, "", False

    def shoot(self) -> None:
        self._frames += 1
        self._told.set()

    def fail(self, error: str) -> None:
        self._error = error
        self._told.set()

    def close(self) -> None:
        self._ended = True
        self._told.set()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        while True:
            self._told.wait()
            self._told.clear()
            while index < self._frames:
                yield Frame(np.zeros((64, 96, 3), np.uint8), index, time.monotonic_ns(), self.address)
                index += 1
            if self._error:
                raise SourceError(self._error)
            if self._ended:
                return


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> Iterator[edgeseg.Segmenter]:
    with edgeseg.load(bundle_folder, engine="onnxruntime", precision="fp32") as opened:
        yield opened


@pytest.fixture
def latest(camera: Camera, model: edgeseg.Segmenter) -> Iterator[edgeseg.Latest]:
    with edgeseg.latest(model, camera) as opened:
        yield opened


def test_the_newest_result_is_there_as_often_as_it_is_asked_for(latest: edgeseg.Latest, camera: Camera) -> None:
    for index in range(5):
        camera.shoot()
        while (result := latest.get(LONG, wait_ms=LONG)).frame.index < index:
            time.sleep(0.001)
        assert result.frame.index == index
        assert latest.get(LONG) is latest.get(LONG)


def test_before_the_first_frame_it_says_so(latest: edgeseg.Latest) -> None:
    with pytest.raises(edgeseg.NothingFresh, match="camera 0: no frame yet"):
        latest.get(100)


def test_masks_that_are_too_old_are_not_given_and_the_reason_is_what_the_camera_waits_for(
    latest: edgeseg.Latest, camera: Camera
) -> None:
    camera.shoot()
    latest.get(LONG, wait_ms=LONG)
    camera.status = "reconnecting: connection refused"
    time.sleep(0.01)
    with pytest.raises(edgeseg.NothingFresh, match=r"the newest is \d+ ms old, asked for 5 .reconnecting: connection"):
        latest.get(5)
    assert latest.get(LONG).frame.index == 0, "whoever can do with old masks gets them"


def test_a_camera_that_died_is_said_and_its_last_masks_stay_as_long_as_they_are_fresh(
    latest: edgeseg.Latest, camera: Camera
) -> None:
    camera.shoot()
    latest.get(LONG, wait_ms=LONG)
    camera.fail("the camera was unplugged")
    with pytest.raises(edgeseg.NothingFresh, match="the camera was unplugged"):
        latest.get(0, wait_ms=LONG)
    assert latest.get(LONG).frame.index == 0
    assert latest.health().error == "the camera was unplugged"
    assert latest.health().delivered == 1


def test_closing_ends_every_thread_and_wakes_who_waits(latest: edgeseg.Latest) -> None:
    said: list[str] = []

    def wait() -> None:
        with pytest.raises(edgeseg.NothingFresh) as raised:
            latest.get(100, wait_ms=LONG)
        said.append(str(raised.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    latest.close()
    waiting.join(10)
    assert said and "no frame yet" in said[0]
    latest.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgeseg-")]
