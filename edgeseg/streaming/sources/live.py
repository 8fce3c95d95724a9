"""What cameras and streams share: they are opened again, with growing pauses, whenever they stop giving frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from threading import Event, Lock

from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 1.0


class LostError(Exception):
    """The source gives nothing more as it stands. `str(error)` is the reason in a few words."""


class LiveSource(BaseSource):
    """A source that comes back. A subclass says how it is opened, read and let go of; all three run under one lock."""

    live = True

    def __init__(self, address: str) -> None:
        self.address = address
        self._closed = Event()
        self._lock = Lock()
        try:
            self._open()
        except LostError as error:
            self._release()
            raise SourceError(self._advice(str(error))) from error

    @abstractmethod
    def _open(self) -> None:
        """Opens it. Raises LostError where nothing is there."""

    @abstractmethod
    def _read(self, index: int) -> Frame | None:
        """Waits for the next frame, which gets this index; None where there is none yet.

        Raises LostError where it broke off, StopIteration where it came to its proper end.
        """

    @abstractmethod
    def _release(self) -> None:
        """Lets go of it. Also after a failed `_open`, also twice."""

    @abstractmethod
    def _advice(self, reason: str) -> str:
        """Returns the one line that a user reads when the first opening failed for this reason."""

    def __iter__(self) -> Iterator[Frame]:
        index, pause, is_open = 0, FIRST_PAUSE, True
        while True:
            try:
                with self._lock:
                    if self._closed.is_set():
                        return
                    if not is_open:
                        self._open()
                        is_open = True
                    frame = self._read(index)
            except StopIteration:
                return
            except LostError as error:
                self.status = f"reconnecting: {error}"
                with self._lock:
                    self._release()
                is_open = False
                self._closed.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if frame is not None:
                self.status, pause = "", FIRST_PAUSE
                yield frame
                index += 1

    def close(self) -> None:
        """Ends the iteration once the reading that is under way has ended, and lets go of the source."""
        self._closed.set()
        with self._lock:
            self._release()
