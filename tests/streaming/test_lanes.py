"""Several producers, one consumer: each lane gives its items in order, each in its turn, and says when it has ended."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.streaming.lanes import LaneEnded, Lanes, LanesClosed


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_patient_lanes_lose_nothing_and_each_keeps_its_order(counts: list[int]) -> None:
    lanes: Lanes[int] = Lanes(newest_wins=[False] * len(counts))

    def produce(lane: int) -> None:
        for item in range(counts[lane]):
            assert lanes[lane].put(item) is None
        lanes[lane].close()

    producers = [Thread(target=produce, args=(lane,)) for lane in range(len(counts))]
    for producer in producers:
        producer.start()
    taken: list[list[int]] = [[] for _ in counts]
    ended: list[int] = []
    with pytest.raises(LanesClosed):
        while True:
            try:
                lane, item = lanes.get()
                taken[lane].append(item)
            except LaneEnded as end:
                ended.append(end.lane)
    for producer in producers:
        producer.join(5)
    assert taken == [list(range(count)) for count in counts]
    assert sorted(ended) == list(range(len(counts)))


def test_a_lane_that_always_has_something_leaves_the_others_their_turn() -> None:
    lanes: Lanes[str] = Lanes(newest_wins=[True, True, True])
    lanes[2].put("slow")
    order = []
    for _ in range(3):
        lanes[0].put("fast")
        lanes[1].put("fast too")
        order.append(lanes.get()[0])
    assert order == [0, 1, 2]


def test_a_lane_displaces_its_own_items_alone() -> None:
    lanes: Lanes[int] = Lanes(newest_wins=[True, True])
    lanes[0].put(1)
    lanes[1].put(2)
    assert lanes[0].put(3) == 1
    assert lanes.abandon() == [(0, 3), (1, 2)]


def test_a_lane_that_breaks_says_so_after_its_last_item_and_the_others_go_on() -> None:
    lanes: Lanes[int] = Lanes(newest_wins=[True, True])
    lanes[0].put(1)
    lanes[0].close(OSError("the camera is gone"))
    assert lanes.get() == (0, 1)
    with pytest.raises(LaneEnded) as ended:
        lanes.get()
    assert (ended.value.lane, str(ended.value.error)) == (0, "the camera is gone")
    lanes[1].put(2)
    assert lanes.get() == (1, 2)
