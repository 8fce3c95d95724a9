"""What stands between two threads: one place, one item."""

from __future__ import annotations

from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")


class SlotClosed(Exception):
    """The producer has finished and the last item was taken."""


class Slot(Generic[T]):
    """One place between a producer and a consumer.

    newest_wins: `put` displaces an item that was not taken yet and returns it; else `put` waits until the place is free.
    changed: the condition that several slots with one consumer share (see `Lanes`); by default one of its own.
    Every item put in comes out exactly once: by `get`, or as the return value of `put` or `abandon`.
    """

    def __init__(self, *, newest_wins: bool, changed: Condition | None = None) -> None:
        self._newest_wins = newest_wins
        self._changed = changed or Condition()
        self._item: T | None = None
        self._closed = False
        self._error: Exception | None = None
        self._abandoned = False

    @property
    def abandoned(self) -> bool:
        """Whether the consumer has left: every further item comes straight back."""
        return self._abandoned

    @property
    def ready(self) -> bool:
        """Whether an item lies there."""
        return self._item is not None

    @property
    def ended(self) -> bool:
        """Whether nothing lies there and nothing will come."""
        return self._item is None and (self._closed or self._abandoned)

    @property
    def error(self) -> Exception | None:
        """What the producer closed with, if anything."""
        return self._error

    def put(self, item: T) -> T | None:
        """Leaves an item. Returns the item that nobody will get: a displaced one, this one if the consumer has left, or None."""
        with self._changed:
            while self._item is not None and not self._newest_wins and not self._abandoned:
                self._changed.wait()
            if self._abandoned:
                return item
            displaced, self._item = self._item, item
            self._changed.notify_all()
            return displaced

    def get(self) -> T:
        """Waits for an item and takes it. Raises SlotClosed, or the error that the producer closed with, once none will come."""
        with self._changed:
            while self._item is None and not self._closed and not self._abandoned:
                self._changed.wait()
            if self._item is None:
                raise self._error or SlotClosed
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def close(self, error: Exception | None = None) -> None:
        """By the producer: nothing more will come, for this reason if one is given. An item that lies there may still be taken."""
        with self._changed:
            if not self._closed:
                self._closed, self._error = True, error
                self._changed.notify_all()

    def abandon(self) -> T | None:
        """By the consumer: nothing more will be taken. Wakes the producer and returns the item that was left, if any."""
        with self._changed:
            self._abandoned = True
            left, self._item = self._item, None
            self._changed.notify_all()
            return left
