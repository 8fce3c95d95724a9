"""When a frame of a stream was captured, as far as its stamp and its arrival tell."""

from __future__ import annotations

STALE_NS = 300_000_000
_JUMP_NS = 10_000_000_000
_SETTLE_NS = 2_000_000_000
_DRIFT = 0.001
_WAITED = 0.8


class CaptureClock:
    """Turns presentation stamps of an unknown clock into capture times on our own.

    No frame arrives before it was captured, so the least (arrival - stamp) seen is the best guess of how far the
    clocks are apart; it may rise by a thousandth of the time that passes, so that a camera's slow clock does not add
    up to an age. A connection may begin with a backlog, whose frames come faster than they were captured; so frames
    count as stale until one came that had to be waited for (for 2 s at most). Later, a frame that comes more than 300
    ms after its time is stale.
    """

    def __init__(self) -> None:
        self._began: int | None = None
        self._apart: float | None = None
        self._stamp = self._arrival = 0
        self._settled = False

    def restart(self) -> None:
        """Forgets what was seen: for a new connection."""
        self._began = self._apart = None
        self._settled = False

    def captured(self, stamp_ns: int | None, arrival_ns: int) -> tuple[int, bool]:
        """Returns (when the frame was captured, never after its arrival; whether it is stale).

        stamp_ns: the frame's presentation time, or None where it has none: it then counts as captured on arrival.
        arrival_ns: when it was read, on the clock of `time.monotonic_ns`.
        """
        if self._began is None:
            self._began = arrival_ns
        self._settled = self._settled or arrival_ns - self._began >= _SETTLE_NS
        if stamp_ns is None:
            return arrival_ns, not self._settled
        stamped, waited = stamp_ns - self._stamp, arrival_ns - self._arrival
        self._stamp, self._arrival = stamp_ns, arrival_ns
        apart = arrival_ns - stamp_ns
        if self._apart is None:
            self._apart = apart
        elif stamped < 0 or abs(stamped - waited) > _JUMP_NS:
            self._apart, self._began, self._settled = apart, arrival_ns, False
        else:
            self._apart = min(self._apart + _DRIFT * waited, apart)
            self._settled = self._settled or waited >= _WAITED * stamped > 0
        captured = min(arrival_ns, stamp_ns + int(self._apart))
        return captured, not self._settled or arrival_ns - captured > STALE_NS
