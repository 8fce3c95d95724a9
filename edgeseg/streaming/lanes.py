"""What stands between several threads and one: a slot for each producer, taken from in turn."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Condition
from typing import Generic, TypeVar

from edgeseg.streaming.slot import Slot

T = TypeVar("T")


class LaneEnded(Exception):
    """One producer has finished, and its last item was taken. lane: which. error: what it closed with, if anything."""

    def __init__(self, lane: int, error: Exception | None) -> None:
        super().__init__(lane, error)
        self.lane, self.error = lane, error


class LanesClosed(Exception):
    """Every producer has finished, and that was said of each."""


class Lanes(Generic[T]):
    """One slot a producer, and a consumer that serves them fairly: a lane that has an item waits for each other once at most.

    newest_wins: for each lane, as for `Slot`.
    """

    def __init__(self, newest_wins: Sequence[bool]) -> None:
        self._changed = Condition()
        self._slots = [Slot[T](newest_wins=wins, changed=self._changed) for wins in newest_wins]
        self._open = set(range(len(self._slots)))
        self._next = 0

    def __getitem__(self, lane: int) -> Slot[T]:
        """The producer's side of a lane."""
        return self._slots[lane]

    def get(self) -> tuple[int, T]:
        """Waits for an item and takes it. Returns it with its lane.

        Raises LaneEnded once for each lane that has nothing more to give, and LanesClosed when that was said of all.
        """
        with self._changed:
            while self._open:
                for step in range(len(self._slots)):
                    lane = (self._next + step) % len(self._slots)
                    slot = self._slots[lane]
                    if slot.ready:
                        self._next = lane + 1
                        return lane, slot.get()
                    if slot.ended and lane in self._open:
                        self._open.remove(lane)
                        raise LaneEnded(lane, slot.error)
                self._changed.wait()
            raise LanesClosed

    def close(self, error: Exception | None = None) -> None:
        """Closes every lane, as `Slot.close` does."""
        for slot in self._slots:
            slot.close(error)

    def abandon(self) -> list[tuple[int, T]]:
        """By the consumer: nothing more will be taken. Wakes the producers and returns what was left, with its lane."""
        left = [(lane, slot.abandon()) for lane, slot in enumerate(self._slots)]
        return [(lane, item) for lane, item in left if item is not None]
