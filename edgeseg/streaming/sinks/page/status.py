"""How the run stands, as the page tells it twice a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.sinks.page.controls import Controls
from edgeseg.streaming.sinks.page.feed import Feed, Pace


class Status:
    """Reads a stream, changes nothing. figures: more to show, name -> what to say ("mIoU" -> "58.2 %")."""

    def __init__(
        self, stream: Stream, controls: Controls | None, figures: Callable[[], dict[str, str]] | None = None
    ) -> None:
        self._stream, self._controls, self._figures = stream, controls, figures

    def now(self, feed: Feed, pace: Pace, viewers: int, busy: bool) -> dict[str, Any]:
        """Returns the status message for one viewer; `yours` is about that viewer alone, times are in ms."""
        counts, source, controls = self._stream.ledger.counts(), self._stream.source, self._controls
        engine = self._stream.segmenter.engine
        return {
            "kind": "status",
            "source": source.address,
            "said": source.status,
            "begun": feed.begun,
            "silent_seconds": round(feed.silent_seconds, 1),
            "fps": round(feed.fps, 1),
            "captured": counts.captured,
            "delivered": counts.delivered,
            "dropped": counts.dropped,
            "failed": counts.failed,
            "viewers": viewers,
            "yours": {"dropped": pace.dropped, "shown_ms": pace.shown_ms and round(pace.shown_ms, 1)},
            "model": self._stream.segmenter.bundle.name,
            "engine": {
                "name": engine.name,
                "precision": engine.precision,
                "device": engine.device,
                "threads": engine.threads,
            },
            "models": [{"name": m.name, "precisions": m.precisions} for m in controls.models] if controls else None,
            "recording": controls.recording if controls else False,
            "trouble": controls.trouble if controls else "",
            "busy": busy,
            "figures": self._figures() if self._figures else {},
        }
