"""Nothing that happens at a receiver reaches the loop; what was missed is counted; every channel hears how the stream is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import edgeseg
from edgeseg.core.errors import SinkError
from edgeseg.core.result import Frame
from edgeseg.streaming.health import Health, Vitals
from edgeseg.streaming.outgoing import Outbox, Outgoing
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.publish import publisher as publishing
from edgeseg.streaming.publish.publisher import Publisher, ReceiverBusy
from edgeseg.streaming.sources.base import BaseSource
from tests.streaming.scene import scene_bundle, scene_result


class Receiver:
    """A channel that takes a result only when it may; `fails` at that one, `busy` at these."""

    address = "receiver"

    def __init__(self, *, open_at_once: bool = True, fails: int = -1, busy: tuple[int, ...] = ()) -> None:
        self.may, self.began, self.beaten = Event(), Event(), Event()
        self._fails, self._busy = fails, busy
        self.got: list[int] = []
        self.beats: list[Health] = []
        self.closed = 0
        if open_at_once:
            self.may.set()

    def send(self, outgoing: Outgoing) -> None:
        index = outgoing.result.frame.index
        self.began.set()
        self.may.wait(10)
        if index == self._fails:
            raise SinkError("the receiver burned down")
        if index in self._busy:
            raise ReceiverBusy
        self.got.append(index)

    def beat(self, health: Health) -> None:
        self.beats.append(health)
        self.beaten.set()

    def close(self) -> str:
        self.closed += 1
        return ""


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> Iterator[edgeseg.Segmenter]:
    with edgeseg.load(bundle_folder, engine="onnxruntime", precision="fp32") as opened:
        yield opened


class Dark(BaseSource):
    """A camera that gives nothing."""

    address, live = "dark", True

    def __iter__(self) -> Iterator[Frame]:
        return iter(())

    def close(self) -> None:
        pass


@pytest.fixture
def vitals(model: edgeseg.Segmenter) -> Iterator[Vitals]:
    with Stream(Dark(), model) as results:
        yield Vitals(results)


@pytest.fixture
def make(vitals: Vitals) -> Any:
    said: list[str] = []

    def make(channel: Receiver, **options: Any) -> tuple[Publisher, list[str]]:
        return Publisher(channel, Outbox(scene_bundle()), vitals, said.append, **options), said

    return make


def assert_no_thread_is_left() -> None:
    assert not [t for t in threading.enumerate() if t.name in {"edgeseg-publish", "edgeseg-heartbeat"}]


def test_a_receiver_that_hangs_costs_counted_results_and_gets_the_newest_when_it_wakes(make) -> None:
    channel = Receiver(open_at_once=False)
    publisher, _ = make(channel)
    publisher.write(scene_result(0))
    assert channel.began.wait(5)
    for index in range(1, 50):
        publisher.write(scene_result(index))  # returns although the receiver still holds the first
    channel.may.set()
    publisher.close()
    assert channel.got == [0, 49]
    assert publisher.figures() == {"address": "receiver", "published": 2, "missed": 48, "error": ""}
    assert_no_thread_is_left()


def test_a_recorder_of_a_file_gets_every_result(make) -> None:
    channel = Receiver()
    publisher, _ = make(channel, newest_wins=False)
    for index in range(100):
        publisher.write(scene_result(index))
    publisher.close()
    assert channel.got == list(range(100))


def test_an_error_is_said_once_ends_that_channel_and_is_raised_when_it_is_closed(make) -> None:
    channel = Receiver(fails=2)
    publisher, said = make(channel, newest_wins=False)
    for index in range(20):
        publisher.write(scene_result(index))
    with pytest.raises(SinkError, match="burned down"):
        publisher.close()
    assert channel.got == [0, 1]
    assert said == ["the receiver burned down; the loop goes on"]
    assert channel.closed == 1
    assert publisher.figures()["published"] == 2
    assert publisher.figures()["missed"] == 18
    assert publisher.close() == ""
    assert_no_thread_is_left()


def test_a_busy_receiver_misses_that_result_and_gets_the_next(make) -> None:
    channel = Receiver(busy=(1, 2))
    publisher, said = make(channel, newest_wins=False)
    for index in range(5):
        publisher.write(scene_result(index))
    publisher.close()
    assert channel.got == [0, 3, 4]
    assert publisher.figures() == {"address": "receiver", "published": 3, "missed": 2, "error": ""}
    assert said == []


def test_the_heart_beats_while_no_result_comes_and_tells_what_is_wrong(
    make, vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BEAT_SECONDS", 0.01)
    channel = Receiver()
    publisher, _ = make(channel)
    assert channel.beaten.wait(5)
    assert channel.beats[0].age_ms is None
    vitals.error = "the camera is gone"
    vitals.saw(scene_result(0, captured_ns=0))
    publisher.close()
    last = channel.beats[-1]
    assert (last.error, last.trouble) == ("the camera is gone", "the camera is gone")
    assert last.age_ms is not None and last.age_ms > 0
    assert_no_thread_is_left()


def test_the_last_result_leaves_before_the_channel_is_closed(make) -> None:
    for _ in range(20):
        channel = Receiver()
        publisher, _ = make(channel)
        publisher.write(scene_result(1))
        publisher.close()
        assert channel.got == [1]
