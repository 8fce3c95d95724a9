"""How old a frame of a stream is, told from its stamp and its arrival, on made-up times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgeseg.streaming.sources.clock import STALE_NS, CaptureClock

MS = 1_000_000
SECOND = 1000 * MS
FRAME = 33 * MS
times = st.integers(-(2**50), 2**50)


def settled_clock(stamp: int, arrival: int) -> CaptureClock:
    clock = CaptureClock()
    for step in (2, 1):
        clock.captured(stamp - step * FRAME, arrival - step * FRAME)
    return clock


@given(st.lists(st.tuples(st.none() | times, st.integers(0, 2**40)), min_size=1, max_size=60))
def test_no_frame_is_captured_after_it_arrived(events: list[tuple[int | None, int]]) -> None:
    clock = CaptureClock()
    arrival = 0
    for stamp, waited in events:
        arrival += waited
        captured, _ = clock.captured(stamp, arrival)
        assert captured <= arrival


@given(times, times, st.lists(st.integers(0, 250), min_size=3, max_size=200))
def test_a_steady_stream_with_jitter_is_never_stale_once_it_flows(stamp: int, arrival: int, jitter: list[int]) -> None:
    clock = settled_clock(stamp, arrival)
    last = 0
    for number, late in enumerate(jitter):
        # Frames come in order, so that one cannot overtake the one before.
        last = max(last, number * FRAME + late * MS)
        captured, stale = clock.captured(stamp + number * FRAME, arrival + last)
        assert not stale
        # The truth is arrival + number * FRAME; the guess may lag by the drift that is allowed for skewed clocks.
        assert abs(captured - (arrival + number * FRAME)) <= 250 * MS


@given(times, times, st.integers(2, 60))
def test_a_backlog_at_the_beginning_is_stale(stamp: int, arrival: int, backlog: int) -> None:
    clock = CaptureClock()
    for number in range(backlog):
        assert clock.captured(stamp + number * FRAME, arrival + number * MS)[1]
    waited = arrival + backlog * MS + FRAME
    captured, stale = clock.captured(stamp + backlog * FRAME, waited)
    assert not stale
    assert waited - captured <= 2 * MS


@given(times, times, st.integers(400, 8000))
def test_frames_that_were_held_up_are_stale_until_the_newest_is_reached(stamp: int, arrival: int, hold: int) -> None:
    clock = settled_clock(stamp, arrival)
    clock.captured(stamp, arrival)
    freed = arrival + hold * MS
    number = 1
    while arrival + number * FRAME < freed - STALE_NS - 50 * MS:
        captured, stale = clock.captured(stamp + number * FRAME, freed)
        assert stale
        # Its age is honest: it was captured number frames after the first.
        assert abs(captured - (arrival + number * FRAME)) <= 10 * MS
        number += 1
    number = (freed - arrival) // FRAME
    assert not clock.captured(stamp + number * FRAME, freed)[1]


@given(times, times, st.integers(1, 10**6), st.booleans())
def test_after_a_jump_of_the_stamps_the_estimate_starts_anew(stamp: int, arrival: int, jump: int, back: bool) -> None:
    clock = settled_clock(stamp, arrival)
    clock.captured(stamp, arrival)
    base = stamp - jump * MS - FRAME if back else stamp + 11 * SECOND + jump * MS
    assert clock.captured(base, arrival + FRAME)[1]
    assert clock.captured(base + FRAME, arrival + 2 * FRAME) == (arrival + 2 * FRAME, False)


def test_a_camera_clock_that_runs_slow_does_not_add_up() -> None:
    clock = settled_clock(0, 0)
    slow = 0.9995
    for number in range(1, 100_000):
        captured, stale = clock.captured(int(number * FRAME * slow), number * FRAME)
        assert not stale
        assert number * FRAME - captured < 5 * MS


def test_frames_without_stamps_count_as_captured_on_arrival() -> None:
    clock = settled_clock(0, 0)
    assert clock.captured(None, 5 * SECOND) == (5 * SECOND, False)


def test_a_stream_that_never_needs_to_be_waited_for_is_believed_after_two_seconds() -> None:
    clock = CaptureClock()
    stale = [clock.captured(number * 2 * FRAME, number * FRAME)[1] for number in range(80)]
    assert stale.index(False) * FRAME >= 2 * SECOND
    assert not any(stale[stale.index(False) :])
