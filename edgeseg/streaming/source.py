"""What a source of frames is."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

from edgeseg.core.result import Frame


class Source(Protocol):
    """Iterates frames, once. Opened by its constructor, which raises SourceError where nothing is there.

    address: what the user called it.
    live: frames come at their own pace and may be overwritten by newer ones; else none may be lost.
    status: "" while frames flow, else what it waits for ("reconnecting: connection refused"), for people to read.
    """

    address: str
    live: bool
    status: str

    def __iter__(self) -> Iterator[Frame]:
        """Yields frames with ascending `index`. Raises SourceError where it ends before its end."""
        ...

    def close(self) -> None:
        """Lets go of the device or file. May be called from another thread, and twice; the iteration then ends soon."""
        ...

    def __enter__(self) -> Source: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
