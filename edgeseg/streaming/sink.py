"""What a sink of results is."""

from __future__ import annotations

from typing import Protocol

from edgeseg.core.result import Result


class Sink(Protocol):
    """Takes results on the caller's thread, in order."""

    def write(self, result: Result) -> None:
        """Takes one result. Raises SinkError where it can't be kept."""
        ...

    def close(self) -> str:
        """Finishes what was written (also after an error, also twice) and returns where it lies, for people to read."""
        ...
