"""A sink that records, and takes stills, when it is told to."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock

from edgeseg.core.errors import EdgesegError, SinkError
from edgeseg.core.result import Result
from edgeseg.streaming.sink import Sink

OpenSink = Callable[[Path], Sink]
PATIENCE_SECONDS = 2.0


class Keeper:
    """Gives results to a clip while it records, and one to a still when asked. `record` and `snapshot` may come from any thread.

    folder: where the files go, named `name` and the time. clip, still: open a sink at a path (.mp4, .png).
    A clip that can't be written ends there and then: the run goes on, and `trouble` says why.
    """

    def __init__(self, folder: Path, clip: OpenSink, still: OpenSink, name: str = "edgeseg") -> None:
        self._folder, self._open_clip, self._open_still, self._name = folder, clip, still, name
        self._lock = Lock()
        self._clip: Sink | None = None
        self._wish: _Wish | None = None
        self._kept: list[str] = []
        self.trouble = ""

    @property
    def recording(self) -> bool:
        """Whether results go to a clip."""
        return self._clip is not None

    def write(self, result: Result) -> None:
        """Passes a result on to what wants it."""
        wish, self._wish = self._wish, None
        if wish is not None:
            self._fulfil(wish, result)
        with self._lock:
            if self._clip is None:
                return
            try:
                self._clip.write(result)
            except SinkError as error:
                self.trouble = str(error)
                with contextlib.suppress(SinkError):
                    self._clip.close()
                self._clip = None

    def record(self, on: bool) -> str:
        """Begins or ends a clip and says where it is. Raises SinkError."""
        if on:
            path = self._free_name(".mp4")
            opened = self._open_clip(path)
            with self._lock:
                before, self._clip, self.trouble = self._clip, opened, ""
        else:
            path = None
            with self._lock:
                before, self._clip = self._clip, None
        # What is finished here, which may take a while, keeps no result waiting.
        place = before.close() if before is not None else ""
        if place:
            self._kept.append(place)
        if path is not None:
            return f"recording to {path}"
        return f"recorded {place}" if place else "nothing was recorded"

    def snapshot(self) -> str:
        """Keeps the next result as a still and says where it is. Raises SinkError, also where no result comes."""
        wish = _Wish(self._free_name(".png"))
        self._wish = wish
        if not wish.done.wait(PATIENCE_SECONDS):
            raise SinkError("no snapshot: no picture comes just now; try again when the camera is back")
        if wish.error is not None:
            raise wish.error
        self._kept.append(str(wish.path))
        return f"saved {wish.path}"

    def close(self) -> str:
        """Ends a clip that is being recorded and returns the names of all that was kept. Raises SinkError."""
        self.record(False)
        return ", ".join(self._kept)

    def _fulfil(self, wish: _Wish, result: Result) -> None:
        try:
            still = self._open_still(wish.path)
            still.write(result)
            still.close()
        except EdgesegError as error:
            wish.error = error
        wish.done.set()

    def _free_name(self, ending: str) -> Path:
        stem = f"{self._name}-{time.strftime('%Y%m%d-%H%M%S')}"
        path, count = self._folder / f"{stem}{ending}", 1
        while path.exists():
            count += 1
            path = self._folder / f"{stem}-{count}{ending}"
        return path


class _Wish:
    """A still that somebody waits for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done = Event()
        self.error: EdgesegError | None = None
