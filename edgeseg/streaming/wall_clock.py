"""Capture times on the clock that other machines share."""

from __future__ import annotations

import time

AGAIN_NS = 1_000_000_000
TRIES = 5


class WallClock:
    """Turns times of the monotonic clock into nanoseconds since 1970 (UTC).

    The offset between the two is measured again each second, since the wall clock is set now and then.
    """

    def __init__(self) -> None:
        self._measured_ns = time.monotonic_ns()
        self._offset_ns = _offset_ns()

    def __call__(self, monotonic_ns: int) -> int:
        """Returns when that was on the wall clock."""
        now = time.monotonic_ns()
        if now - self._measured_ns > AGAIN_NS:
            self._measured_ns, self._offset_ns = now, _offset_ns()
        return monotonic_ns + self._offset_ns


def _offset_ns() -> int:
    """The wall clock less the monotonic one. Of a few tries the one that was interrupted least is taken."""
    tries: list[tuple[int, int]] = []
    for _ in range(TRIES):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        tries.append((after - before, wall - (before + after) // 2))
    return min(tries)[1]
