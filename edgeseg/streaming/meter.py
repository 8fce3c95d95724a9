"""What a stream of results costs: rates, latencies and stage times, over any length in bounded memory."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.result import Result
from edgeseg.streaming.ledger import Counts

KEPT = 1 << 16
"""Percentiles are over the newest so many results (36 minutes at 30 FPS)."""

RECENT_NS = 2_000_000_000
"""The rate on the picture is over the last two seconds."""


class Meter:
    """Takes every result as it is delivered; answers with figures at any time."""

    def __init__(self) -> None:
        self._started_ns = self._ended_ns = 0
        self._latency_ms = _Newest()
        self._stages_ms: dict[str, _Newest] = {}
        self._recent: deque[int] = deque()

    def add(self, result: Result) -> None:
        """Counts one delivered result."""
        delivered = result.timing.delivered_ns
        if not self._latency_ms.count:
            self._started_ns = result.frame.captured_ns
        self._ended_ns = delivered
        self._latency_ms.append(result.latency_ms)
        self.add_stages(result.timing.stage_ms)
        self._recent.append(delivered)
        while self._recent[0] < delivered - RECENT_NS:
            self._recent.popleft()

    def add_stages(self, stage_ms: dict[str, float]) -> None:
        """Counts stages that follow the delivery (drawing, writing), stage name -> milliseconds."""
        for name, milliseconds in stage_ms.items():
            self._stages_ms.setdefault(name, _Newest()).append(milliseconds)

    @property
    def recent_fps(self) -> float:
        """Results a second over the last two seconds."""
        if len(self._recent) < 2:
            return 0.0
        return (len(self._recent) - 1) * 1e9 / (self._recent[-1] - self._recent[0])

    @property
    def latest_latency_ms(self) -> float:
        """From capture to delivery, of the newest result."""
        return self._latency_ms.last

    @property
    def seconds(self) -> float:
        """From the capture of the first delivered frame to the last delivery."""
        return (self._ended_ns - self._started_ns) / 1e9

    def figures(self, counts: Counts) -> dict[str, Any]:
        """Returns the fields of `run --json` that are counted and timed; a field without any result is null."""
        engine = self._stages_ms.get("engine")
        return {
            "captured": counts.captured,
            "delivered": counts.delivered,
            "dropped": counts.dropped,
            "failed": counts.failed,
            "in_flight": counts.in_flight,
            "seconds": self.seconds,
            "fps": counts.delivered / self.seconds if self.seconds > 0 else None,
            "engine_fps": 1000 / float(np.median(engine.values)) if engine else None,
            "latency_ms": _percentiles(self._latency_ms, maximum=True),
            "stage_ms": {name: _percentiles(values) for name, values in self._stages_ms.items()},
        }


class _Newest:
    """The newest values, at most KEPT of them, in memory that is taken at once: a deque of floats grows for half an hour."""

    def __init__(self) -> None:
        self.count = 0
        self._ring = np.full(KEPT, np.nan, np.float32)

    def append(self, value: float) -> None:
        self._ring[self.count % KEPT] = value
        self.count += 1

    @property
    def last(self) -> float:
        """The newest value, 0 where there is none."""
        return float(self._ring[(self.count - 1) % KEPT]) if self.count else 0.0

    @property
    def values(self) -> NDArray[np.float32]:
        """All that is kept, in no order."""
        return self._ring[: self.count]


def _percentiles(kept: _Newest, *, maximum: bool = False) -> dict[str, float | None]:
    names = {"p50": 50, "p95": 95, "p99": 99, **({"max": 100} if maximum else {})}
    if not kept.count:
        return dict.fromkeys(names)
    return dict(zip(names, np.percentile(kept.values, list(names.values())).tolist(), strict=True))
