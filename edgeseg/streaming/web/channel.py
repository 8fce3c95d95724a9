"""How the run stands, as the page tells it twice a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.controls import Controls
from edgeseg.streaming.web.feed import Feed, Pace

Figures = Callable[[], dict[str, str]]


class Channel:
    """One source of a stream, as the page shows it; reads the stream, changes nothing.

    number: the source's, from 0. feed: where its results come from. controls: who answers its buttons, None for nobody.
    figures: more to show, name -> what to say ("mIoU" -> "58.2 %").
    """

    def __init__(
        self, stream: Stream, number: int, feed: Feed, controls: Controls | None, figures: Figures | None
    ) -> None:
        self.number, self.feed, self.controls = number, feed, controls
        self._stream, self._lane, self._figures = stream, stream.lanes[number], figures

    @property
    def name(self) -> str:
        """What people know the source by."""
        return self._lane.source.address

    def status(self, pace: Pace, viewers: int, busy: bool) -> dict[str, Any]:
        """Returns the status message for one viewer; `yours` is about that viewer alone, times are in ms."""
        counts, source, controls = self._lane.ledger.counts(), self._lane.source, self.controls
        ended = "ended" if self._lane.ended else ""
        engine = self._stream.segmenter.engine
        return {
            "kind": "status",
            "stream": self.number,
            "source": source.address,
            "said": str(self._lane.error or "") or ended or source.status,
            "begun": self.feed.begun,
            "silent_seconds": round(self.feed.silent_seconds, 1),
            "fps": round(self.feed.fps, 1),
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
