"""What became of every frame."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from threading import Lock


@dataclass(frozen=True)
class Counts:
    """captured = delivered + dropped (by reason) + failed + in_flight, at any moment."""

    captured: int
    delivered: int
    dropped: dict[str, int]
    failed: int
    in_flight: int


class Ledger:
    """Gives each captured frame a ticket, and takes each ticket back once, with what became of the frame."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._captured = self._delivered = self._failed = 0
        self._dropped: Counter[str] = Counter()
        self._open: set[int] = set()

    def captured(self) -> int:
        """A frame came from the source. Returns its ticket."""
        with self._lock:
            ticket = self._captured
            self._captured += 1
            self._open.add(ticket)
            return ticket

    def delivered(self, ticket: int) -> None:
        """The caller holds this frame's result."""
        with self._lock:
            self._settle(ticket)
            self._delivered += 1

    def dropped(self, ticket: int, reason: str) -> None:
        """Nobody will see this frame's result, for this reason."""
        with self._lock:
            self._settle(ticket)
            self._dropped[reason] += 1

    def failed(self, ticket: int) -> None:
        """The frame was damaged, or computing its masks raised an error."""
        with self._lock:
            self._settle(ticket)
            self._failed += 1

    def counts(self) -> Counts:
        """Returns how things stand now."""
        with self._lock:
            return Counts(self._captured, self._delivered, dict(self._dropped), self._failed, len(self._open))

    def _settle(self, ticket: int) -> None:
        if ticket not in self._open:
            raise RuntimeError(f"frame {ticket} was settled twice, or never captured")
        self._open.remove(ticket)
