"""A slot holds one item; every item put in comes out exactly once."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.streaming.slot import Slot, SlotClosed


@given(st.lists(st.sampled_from(["put", "get"]), max_size=60))
def test_newest_wins_and_nothing_is_lost_or_doubled(steps: list[str]) -> None:
    slot: Slot[int] = Slot(newest_wins=True)
    put, out, waiting = 0, [], None
    for step in steps:
        if step == "put":
            displaced = slot.put(put)
            assert displaced == waiting
            out += [] if displaced is None else [displaced]
            waiting, put = put, put + 1
        elif waiting is not None:
            assert slot.get() == waiting
            out.append(waiting)
            waiting = None
    left = slot.abandon()
    out += [] if left is None else [left]
    assert out == list(range(put))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_a_patient_slot_hands_over_in_order_until_the_consumer_leaves(items: int, taken: int) -> None:
    slot: Slot[int] = Slot(newest_wins=False)
    refused: list[int] = []

    def produce() -> None:
        refused.extend(item for item in range(items) if slot.put(item) is not None)
        slot.close()

    producer = Thread(target=produce)
    producer.start()
    received: list[int] = []
    try:
        while len(received) < taken:
            received.append(slot.get())
    except SlotClosed:
        pass
    left = slot.abandon()
    producer.join(5)
    assert not producer.is_alive()
    assert received + ([] if left is None else [left]) + refused == list(range(items))


def test_what_lies_there_is_taken_before_the_error_is_raised() -> None:
    slot: Slot[str] = Slot(newest_wins=True)
    slot.put("last frame")
    slot.close(OSError("the camera is gone"))
    assert slot.get() == "last frame"
    with pytest.raises(OSError, match="the camera is gone"):
        slot.get()


def test_a_consumer_that_leaves_wakes_its_own_wait() -> None:
    slot: Slot[str] = Slot(newest_wins=True)
    ended: list[bool] = []

    def consume() -> None:
        with pytest.raises(SlotClosed):
            slot.get()
        ended.append(True)

    consumer = Thread(target=consume)
    consumer.start()
    slot.abandon()
    consumer.join(5)
    assert ended
