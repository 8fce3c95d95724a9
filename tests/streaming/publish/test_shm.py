"""A process beside the loop reads the newest mask, whole, whatever happens to it or to the publisher."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.core.errors import SinkError, UsageError
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import EngineInfo, Frame, Result, Timing
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outgoing
from edgeseg.streaming.publish.shm import FOLDER, HEALTH_AT, PLACE, PLACES_AT, THING, ShmChannel
from tests.streaming.conftest import CLASSES

READER = Path(__file__).parents[3] / "demos" / "02_robot_masks.py"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"this system has no {FOLDER}")

WATCHING = """
import runpy, sys, time
import numpy as np
masks = runpy.run_path(sys.argv[1])["Masks"](sys.argv[2])
print("ready", flush=True)
last = seen = 0
end = time.monotonic() + 20
while seen < int(sys.argv[3]) and time.monotonic() < end:
    found = masks.newest()
    if found:
        labels, captured_ns = found
        assert (labels == captured_ns % 251).all(), "torn"
        assert labels.shape == (64 + captured_ns % 3, 200), "another mask's size"
        assert captured_ns >= last, "older than the one before"
        seen, last = seen + (captured_ns > last), captured_ns
    time.sleep(float(sys.argv[4]))
print(seen, last)
"""


def numbered(number: int, height: int = 0) -> Outgoing:
    """A mask that is `number` all over, captured at `number`."""
    frame = Frame(np.zeros((1, 1, 3), np.uint8), number, number, "numbered")
    result = Result(frame, SemanticMask(frame.image[..., 0], CLASSES), Timing({}, number), EngineInfo("", "", "", 1))
    labels = np.full((height or 64 + number % 3, 200), number % 251, np.uint8)
    return Outgoing(number, 0, result, labels)


@pytest.fixture
def name() -> str:
    return f"test-{os.getpid()}-{time.monotonic_ns()}"


@pytest.fixture
def channel(name: str) -> Iterator[ShmChannel]:
    opened = ShmChannel(name, CLASSES)
    yield opened
    opened.close()


def reader(name: str) -> Any:
    import runpy

    return runpy.run_path(str(READER))["Masks"](name)


def watch(name: str, masks: int, pause: float) -> subprocess.Popen[str]:
    """A process that looks for a new mask every `pause` seconds, until it has seen so many."""
    command = [sys.executable, "-c", WATCHING, str(READER), name, str(masks), str(pause)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def test_readers_that_are_quick_slow_killed_and_restarted_never_see_a_torn_mask(channel: ShmChannel, name: str) -> None:
    readers = [watch(name, 300, 0), watch(name, 10, 0.02)]
    killed = watch(name, 10**9, 0)
    number = 0
    while any(process.poll() is None for process in readers):
        number += 1
        channel.send(numbered(number))
        if number == 200:
            killed.send_signal(signal.SIGKILL)
            readers.append(watch(name, 100, 0))
    for process, wanted in zip(readers, (300, 10, 100), strict=True):
        said, error = process.communicate()
        assert process.returncode == 0, error
        seen, last = (int(word) for word in said.split())
        assert seen == wanted
        assert last <= number
    assert killed.wait() == -signal.SIGKILL


class Interrupted:
    """What a reader copies from: once, in the middle of a place, the publisher writes `masks` more."""

    def __init__(self, memory: np.ndarray, cut: int, publish: Callable[[], None]) -> None:
        self._memory, self._cut, self._publish = memory, cut, publish
        self._in_places = False

    def __getitem__(self, key: slice) -> Any:
        piece = self._memory[key]
        if not self._in_places and (key.start or 0) < PLACES_AT:
            return piece
        place = Interrupted(piece, self._cut, self._publish)
        place._in_places = True
        return place

    def copy(self) -> np.ndarray:
        first = self._memory[: self._cut].copy()
        self._publish()
        return np.concatenate([first, self._memory[self._cut :]])


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 64 + 30 * 200), masks=st.integers(0, 9))
def test_a_copy_that_the_publisher_overtook_is_never_taken_for_a_mask(cut: int, masks: int) -> None:
    name = f"test-{os.getpid()}-{time.monotonic_ns()}"
    channel = ShmChannel(name, CLASSES)
    numbers = iter(range(2, masks + 2))

    def publish() -> None:
        for number in numbers:
            channel.send(numbered(number, 30))

    try:
        channel.send(numbered(1, 30))
        looking = reader(name)
        looking.newest()
        looking.memory = Interrupted(looking.memory, cut, publish)
        labels, captured_ns = looking.newest()
        assert 1 <= captured_ns <= masks + 1
        assert (labels == captured_ns).all()
    finally:
        channel.close()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 64 + 30 * 200), numbers=st.lists(st.integers(2, 250), min_size=1, max_size=6, unique=True))
def test_a_publisher_that_was_killed_in_the_middle_of_a_mask_leaves_the_one_before(
    cut: int, numbers: list[int]
) -> None:
    name = f"test-{os.getpid()}-{time.monotonic_ns()}"
    channel = ShmChannel(name, CLASSES)
    try:
        sequence = 0
        for sequence, number in enumerate(numbers, 1):
            channel.send(replace(numbered(number, 30), sequence=sequence))
        path = FOLDER / f"edgeseg-{name}"
        before = path.read_bytes()
        channel.send(replace(numbered(1, 30), sequence=sequence + 1))
        after = path.read_bytes()
        begin = PLACES_AT + (sequence + 1) % 4 * ((len(after) - PLACES_AT) // 4)
        with path.open("r+b") as file:
            file.write(before[:begin] + after[begin : begin + cut] + before[begin + cut :])
        labels, captured_ns = reader(name).newest()
        assert captured_ns == numbers[-1]
        assert (labels == numbers[-1]).all()
    finally:
        channel.close()


@settings(max_examples=40, deadline=None)
@given(where=st.integers(8, 64 + 30 * 200 - 1), bit=st.integers(0, 7))
def test_a_single_wrong_bit_of_a_mask_is_found_by_its_checksum(where: int, bit: int) -> None:
    name = f"test-{os.getpid()}-{time.monotonic_ns()}"
    channel = ShmChannel(name, CLASSES)
    try:
        channel.send(numbered(1, 30))
        whole = (FOLDER / f"edgeseg-{name}").read_bytes()
        place = bytearray(whole[PLACES_AT + (len(whole) - PLACES_AT) // 4 :][: 64 + 30 * 200])
        known = np.frombuffer(bytes(place[:64]), PLACE)[0]
        assert zlib.crc32(place[8 : known["length"]]) == known["checksum"]
        place[where] ^= 1 << bit
        assert zlib.crc32(place[8 : known["length"]]) != known["checksum"]
    finally:
        channel.close()


def test_the_reader_follows_a_larger_mask_and_a_publisher_that_was_started_again(name: str) -> None:
    first = ShmChannel(name, CLASSES)
    masks = reader(name)
    assert masks.newest() is None
    for number, height in ((1, 10), (2, 100), (3, 20)):
        first.send(numbered(number, height))
        assert masks.newest()[0].shape == (height, 200)
    first.close()
    with pytest.raises(FileNotFoundError):
        masks.newest()
    second = ShmChannel(name, (*CLASSES, "sky"))
    second.send(numbered(1, 5))
    assert masks.newest()[0].shape == (5, 200)
    assert masks.classes == [*CLASSES, "sky"]
    second.close()


def test_things_stand_behind_the_label_map_and_their_map(channel: ShmChannel, name: str, make_result) -> None:
    things = np.array([(7, 1, 0.5, (1, 2, 3, 4)), (9, 0, 0.25, (0, 0, 8, 8))], THING)
    labels, thing_map = np.eye(9, 12, dtype=np.uint8), np.eye(9, 12, 1, dtype=np.uint8)
    channel.send(Outgoing(5, 1234, make_result(3, captured_ns=77), labels, things, thing_map))
    found, captured_ns = reader(name).newest()
    np.testing.assert_array_equal(found, labels)
    assert captured_ns == 77
    raw = (FOLDER / f"edgeseg-{name}").read_bytes()
    place = raw[PLACES_AT + 5 % 4 * ((len(raw) - PLACES_AT) // 4) :]
    known = np.frombuffer(place[:64], PLACE)[0]
    assert [int(known[field]) for field in ("sequence", "frame", "captured_wall_ns", "planes", "things")] == [
        *(5, 3, 1234, 2, 2)
    ]
    np.testing.assert_array_equal(np.frombuffer(place, np.uint8, 108, 64 + 108), thing_map.ravel())
    np.testing.assert_array_equal(np.frombuffer(place, THING, 2, 64 + 2 * 108), things)


def test_the_heartbeat_tells_the_health(channel: ShmChannel, name: str) -> None:
    channel.beat(Health(captured=5, error="the camera is gone"))
    raw = (FOLDER / f"edgeseg-{name}").read_bytes()
    size, checksum = np.frombuffer(raw, "<u4", 2, HEALTH_AT).tolist()
    text = raw[HEALTH_AT + 8 :][:size]
    assert zlib.crc32(text) == checksum
    assert json.loads(text)["captured"] == 5
    assert json.loads(text)["error"] == "the camera is gone"
    assert 0 <= time.monotonic_ns() - int(np.frombuffer(raw, "<i8", 1, 32)[0]) < 10**10


def test_a_name_in_use_is_refused_and_what_a_killed_publisher_left_is_taken_over(name: str) -> None:
    hold = (
        "import sys, time; from edgeseg.streaming.publish.shm import ShmChannel as S; "
        "s = S(sys.argv[1], ('a',)); print(1, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(READER.parents[1])}
    other = subprocess.Popen([sys.executable, "-c", hold, name], stdout=subprocess.PIPE, env=environment)
    assert other.stdout is not None
    other.stdout.readline()
    with pytest.raises(SinkError, match="another process publishes there"):
        ShmChannel(name, CLASSES)
    other.kill()
    other.communicate()
    assert (FOLDER / f"edgeseg-{name}").exists()
    ShmChannel(name, CLASSES).close()
    assert not (FOLDER / f"edgeseg-{name}").exists()


def test_no_room_is_one_line_and_leaves_nothing(channel: ShmChannel, name: str, full_disk) -> None:
    with full_disk(400_000), pytest.raises(SinkError, match="no room") as raised:
        channel.send(numbered(1, 2000))
    assert "\n" not in str(raised.value)
    assert [path.name for path in FOLDER.glob(f"*{name}*")] == [f"edgeseg-{name}"]


@pytest.mark.parametrize("bad", ["", "a/b", "../x", "a b", "x" * 101])
def test_a_name_that_can_not_be_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="letters, digits"):
        ShmChannel(bad, CLASSES)
