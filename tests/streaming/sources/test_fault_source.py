"""Faults befall the frames that the seed says, and nothing else changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import Frame
from edgeseg.streaming.source import Source
from edgeseg.streaming.sources.base import BaseSource
from edgeseg.streaming.sources.fault import FaultSource

RATES = ("stall", "disconnect", "resize", "truncate", "clock")
seeds = st.integers(0, 2**31 - 1)


@dataclass
class Numbered(BaseSource):
    """An inner source whose frames are filled with their number, stamped one second apart, with a truth alike."""

    address: str
    live: bool = False
    count: int = 200
    closed: bool = False

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.count):
            image = np.full((24, 32, 3), index, np.uint8)
            truth = SemanticMask(np.full((24, 32), index % 3, np.uint8), ("a", "b", "c"))
            ids = np.full((24, 32), index % 3, np.uint16)
            yield Frame(image, index, index * 10**9, self.address, truth=truth, truth_ids=ids)

    def close(self) -> None:
        self.closed = True


def opened(query: str, live: bool = False, count: int = 200) -> FaultSource:
    def open_source(address: str) -> Source:
        return Numbered(address, live, count)

    return FaultSource(f"fault://?{query}&inner=numbers://?a=1&b=2", open_source)


def told(frame: Frame) -> tuple[int, tuple[int, ...], int, str]:
    return frame.index, frame.image.shape, frame.captured_ns, frame.damage


@given(seeds, st.lists(st.sampled_from(RATES), unique=True), st.floats(0, 1), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_seed_says_what_happens(seed: int, faults: list[str], rate: float, live: bool) -> None:
    query = "&".join([f"seed={seed}", "stall_ms=0", "disconnect_ms=0", *(f"{fault}={rate}" for fault in faults)])
    one, other = (list(map(told, opened(query, live=live))) for _ in range(2))
    assert one == other
    assert [frame[0] for frame in one] == list(range(len(one)))
    if not live or "disconnect" not in faults:
        assert len(one) == 200


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_a_fault_does_not_move_the_others(seed: int) -> None:
    alone = [bool(frame.damage) for frame in opened(f"seed={seed}&truncate=0.2")]
    among = [
        bool(frame.damage) for frame in opened(f"seed={seed}&truncate=0.2&resize=0.3&clock=0.5&stall=0.1&stall_ms=0")
    ]
    assert alone == among
    assert 10 < sum(alone) < 80


def test_without_faults_every_frame_is_as_it_was() -> None:
    frames = list(opened("seed=1"))
    assert [int(frame.image[0, 0, 0]) for frame in frames] == list(range(200))
    assert [frame.captured_ns for frame in frames] == [index * 10**9 for index in range(200)]
    assert all(frame.image.shape == (24, 32, 3) and not frame.damage for frame in frames)


def test_a_truncated_frame_lacks_rows_and_says_so() -> None:
    for frame in opened("truncate=1"):
        rows = len(frame.image)
        assert 1 <= rows < 24
        assert frame.damage == f"truncated: {rows} of 24 rows"


def test_the_size_changes_for_a_while_and_the_truth_with_it() -> None:
    frames = list(opened("resize=0.02"))
    shapes = {frame.image.shape for frame in frames}
    assert (24, 32, 3) in shapes
    assert len(shapes) > 1
    for frame in frames:
        assert frame.truth is not None
        assert frame.truth.labels.shape == frame.image.shape[:2]
        assert (frame.truth.labels == int(frame.image[0, 0, 0]) % 3).all()
        np.testing.assert_array_equal(frame.truth_ids, frame.truth.labels)


def test_the_clock_is_wrong_both_ways_within_its_bound() -> None:
    wrong = [frame.captured_ns - frame.index * 10**9 for frame in opened("clock=1&clock_ms=1000")]
    assert -(10**9) <= min(wrong) < -(10**8)
    assert 10**8 < max(wrong) <= 10**9


def test_a_live_source_loses_frames_in_a_disconnect_and_its_status_says_so() -> None:
    source = opened("disconnect=0.05&disconnect_ms=0", live=True)
    numbers = [int(frame.image[0, 0, 0]) for frame in source]
    assert 100 < len(numbers) < 200
    assert numbers == sorted(set(numbers))

    class Watched(Numbered):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                said.append(watched.status)
                yield frame
                time.sleep(0.001)

    said: list[str] = []
    watched = FaultSource(
        "fault://?disconnect=0.1&disconnect_ms=5&inner=x", lambda address: Watched(address, live=True)
    )
    list(watched)
    assert {"", "reconnecting: fault:// broke the connection"} == set(said)
    assert watched.status == ""


def test_a_file_loses_nothing_in_a_disconnect() -> None:
    assert len(list(opened("disconnect=0.2&disconnect_ms=1"))) == 200


@pytest.mark.parametrize("query", ["stall=1&stall_ms=20", "disconnect=1&disconnect_ms=20", "slow_start=20"])
def test_stalls_take_their_time(query: str) -> None:
    begin = time.monotonic()
    assert len(list(opened(query, count=2))) == 2
    assert time.monotonic() - begin >= 0.02


def test_closing_ends_a_stall_and_closes_the_inner_source() -> None:
    inner = Numbered("x")
    source = FaultSource("fault://?stall=1&stall_ms=60000&inner=x", lambda address: inner)
    source.close()
    assert list(source) == []
    assert inner.closed


def test_the_inner_address_is_taken_as_it_stands() -> None:
    source = opened("seed=2", live=True)
    assert source.address == "fault://?seed=2&inner=numbers://?a=1&b=2"
    assert source.live


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("fault://?seed=1", "with inner as the last one"),
        ("fault://?seed=1&inner=", "with inner as the last one"),
        ("fault://seed=1&inner=0", "with inner as the last one"),
        ("fault://?winner=0", "with inner as the last one"),
        ("fault://?stal=0.1&inner=0", "no parameter 'stal': it takes seed="),
        ("fault://?stall=2&inner=0", r"stall= takes 0\.0\.\.1\.0, not '2'"),
        ("fault://?stall_ms=-1&inner=0", r"stall_ms= takes"),
    ],
)
def test_bad_addresses(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        FaultSource(address, Numbered)
