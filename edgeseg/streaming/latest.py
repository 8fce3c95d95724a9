"""What a planner asks: the newest masks, if they are fresh enough, at any moment and without waiting."""

from __future__ import annotations

import os
import time
from threading import Condition, Thread
from types import TracebackType

from edgeseg.core.errors import EdgesegError
from edgeseg.core.result import Result
from edgeseg.runtime.segmenter import DEFAULT_MODEL, Segmenter
from edgeseg.streaming.health import Health, Vitals
from edgeseg.streaming.pipeline import Stream, stream
from edgeseg.streaming.source import Source

JOIN_SECONDS = 10.0


class NothingFresh(EdgesegError):
    """There are no masks as young as asked for. `str(error)` says why: nothing came yet, the camera died, it ended."""


class Latest:
    """Keeps the newest result of a stream, which a thread of its own takes from it.

    results: the stream; it is closed with this.
    """

    def __init__(self, results: Stream) -> None:
        self._results = results
        self._vitals = Vitals(results)
        self._changed = Condition()
        self._newest: Result | None = None
        self._end = ""
        self._thread = Thread(target=self._follow, name="edgeseg-latest", daemon=True)
        self._thread.start()

    def get(self, max_age_ms: float, *, wait_ms: float = 0) -> Result:
        """Returns the newest result, if its frame was captured in the last `max_age_ms`; else raises NothingFresh.

        wait_ms: how long to wait for one, if there is none.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._end or self._age_ms() <= max_age_ms, wait_ms / 1000)
            if self._newest is not None and self._age_ms() <= max_age_ms:
                return self._newest
            raise NothingFresh(self._reason(max_age_ms))

    def health(self) -> Health:
        """Returns how the stream is."""
        return self._vitals.health()

    def close(self) -> None:
        """Ends the stream and the thread. May be called twice."""
        self._results.close()
        self._thread.join(JOIN_SECONDS)
        self._ended("it was closed")

    def __enter__(self) -> Latest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _follow(self) -> None:
        try:
            for result in self._results:
                self._vitals.saw(result)
                with self._changed:
                    self._newest = result
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001, it is the caller's, who learns it from `get`
            self._vitals.error = str(error)
            self._ended(str(error))
        else:
            self._ended("the source has ended")

    def _ended(self, reason: str) -> None:
        with self._changed:
            self._end = self._end or reason
            self._changed.notify_all()

    def _age_ms(self) -> float:
        newest = self._newest
        return float("inf") if newest is None else (time.monotonic_ns() - newest.frame.captured_ns) / 1e6

    def _reason(self, max_age_ms: float) -> str:
        source = self._results.source
        cause = self._end or source.status
        age = f"the newest is {self._age_ms():.0f} ms old, asked for {max_age_ms:.0f}"
        said = "no frame yet" if self._newest is None else age
        return f"no fresh masks from {source.address}: {said}" + (f" ({cause})" if cause else "")


def latest(
    model: str | os.PathLike[str] | Segmenter = DEFAULT_MODEL,
    source: str | int | Source = 0,
    *,
    engine: str = "auto",
    precision: str = "auto",
) -> Latest:
    """Starts a model on a source and returns what gives its newest result: `latest(model, 0).get(max_age_ms=100)`.

    The parameters and errors are those of `stream`; what goes wrong later is said by `get`.
    """
    return Latest(stream(source, model, engine=engine, precision=precision))
