"""How a stream is, for those who act on its masks."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from edgeseg.core.result import Result
from edgeseg.streaming.pipeline import Stream


@dataclass(frozen=True)
class Health:
    """One heartbeat. Whoever hears none for three seconds has lost the process; whoever sees `age_ms` grow, the camera.

    captured, delivered, dropped {reason: count}, failed: frames so far, as the ledger counts them.
    age_ms: since the capture of the newest delivered frame; None before the first.
    status: what the source waits for ("reconnecting: connection refused"), "" while frames flow.
    error: the last error of the stream or of this channel, "" without one.
    published, missed: results that this channel handed on, and those that it could not, being busy with an older one.
    """

    captured: int = 0
    delivered: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    age_ms: float | None = None
    status: str = ""
    error: str = ""
    published: int = 0
    missed: int = 0

    @property
    def trouble(self) -> str:
        """What is wrong, for people to read; "" where nothing is."""
        return self.error or self.status

    def figures(self) -> dict[str, Any]:
        """Returns the fields, fit for JSON."""
        return asdict(self)

    def json(self) -> bytes:
        """Returns the fields as one JSON object, UTF-8."""
        return json.dumps(self.figures()).encode()


class Vitals:
    """What the health of a stream is read from, by any thread; of one of its sources, where it has several.

    error: the error that ended the stream, once there is one.
    """

    def __init__(self, results: Stream, lane: int = 0) -> None:
        self.error = ""
        self._lane = results.lanes[lane]
        self._captured_ns: int | None = None

    def saw(self, result: Result) -> None:
        """Notes the newest delivered result."""
        self._captured_ns = result.frame.captured_ns

    def health(self, *, published: int = 0, missed: int = 0, error: str = "") -> Health:
        """Returns how things stand now. published, missed, error: of the channel that asks."""
        counts = self._lane.ledger.counts()
        captured_ns = self._captured_ns
        return Health(
            captured=counts.captured,
            delivered=counts.delivered,
            dropped=counts.dropped,
            failed=counts.failed,
            age_ms=None if captured_ns is None else (time.monotonic_ns() - captured_ns) / 1e6,
            status=self._lane.source.status,
            error=self.error or str(self._lane.error or "") or error,
            published=published,
            missed=missed,
        )
