"""What viewers may ask for, and who answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ModelChoice:
    """A model that can be switched to. name: what `Controls.switch` takes. precisions: those that run here."""

    name: str
    precisions: tuple[str, ...]


class Controls(Protocol):
    """Answers the page's buttons. Methods are called one at a time, on a thread of the page's own, and may take seconds.

    Each returns a sentence for the viewer ("recording to room.mp4"), or raises EdgesegError, whose line is shown instead.

    models: what can be switched to; empty where nothing can. recording: whether a recording runs now. trouble: what went
    wrong since, unasked, such as a recording that a full disk ended; "" while nothing did.
    """

    @property
    def models(self) -> tuple[ModelChoice, ...]: ...

    @property
    def recording(self) -> bool: ...

    @property
    def trouble(self) -> str: ...

    def switch(self, model: str, precision: str) -> str:
        """Goes on with another model or precision; both are of `models`. Returns once the next frame will be its own."""
        ...

    def record(self, on: bool) -> str:
        """Begins a recording, or ends it."""
        ...

    def snapshot(self) -> str:
        """Keeps the newest picture with its masks."""
        ...
