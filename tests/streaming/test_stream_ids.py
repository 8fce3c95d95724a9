"""Results of a stream carry ids: by the camera's clock where it is live, by the film's where it is a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Semaphore

import numpy as np
import pytest

from edgeseg.core.masks import InstanceMasks
from edgeseg.core.result import Frame
from edgeseg.runtime.segmenter import load
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.sources.base import BaseSource
from tests.runtime.coloured_halves import scene, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("engines") / "coloured-halves").path


class Film(BaseSource):
    """Two discs on their way; `captured` is the clock's seconds at each frame. Nothing is seen in the frames of `empty`."""

    address, status, live = "film", "", False

    def __init__(self, captured: list[float], fps: float | None, empty: range = range(0)) -> None:
        self.fps, self._captured, self._empty = fps, captured, empty
        self.delivered = Semaphore(1)

    def __iter__(self) -> Iterator[Frame]:
        now = time.monotonic_ns()
        for index, seconds in enumerate(self._captured):
            image = np.full((120, 180, 3), 90, np.uint8) if index in self._empty else scene(180, 120, 0.01 * index)
            yield Frame(image, index, now - round((self._captured[-1] - seconds) * 1e9), self.address)

    def close(self) -> None:
        pass


def ids_of(film: Film, folder: Path) -> list[list[int]]:
    given = []
    with load(folder, engine="onnxruntime", precision="fp32", threads=1) as model, Stream(film, model) as results:
        for result in results:
            assert isinstance(result.masks, InstanceMasks)
            assert result.masks.ids is not None
            assert result.timing.stage_ms["track"] >= 0
            given.append(sorted(result.masks.ids.tolist()))
            film.delivered.release()
    return given


def test_things_have_the_same_ids_over_a_stream(folder: Path) -> None:
    assert ids_of(Film([index / 30 for index in range(8)], 30.0), folder) == [[1, 2]] * 8


def test_a_file_is_followed_by_the_films_time_however_fast_it_is_read(folder: Path) -> None:
    # Read within a millisecond, three frames of a film of one a second pass: what was there before is forgotten.
    captured = [index / 1000 for index in range(6)]
    assert ids_of(Film(captured, 1.0, range(2, 5)), folder) == [[1, 2], [1, 2], [], [], [], [3, 4]]
    assert ids_of(Film(captured, 30.0, range(2, 5)), folder)[-1] == [1, 2]
    assert ids_of(Film(captured, None, range(2, 5)), folder)[-1] == [1, 2]


def test_a_live_source_is_followed_by_its_clock(folder: Path) -> None:
    class Live(Film):
        live = True

        def __iter__(self) -> Iterator[Frame]:
            # A live source's newest frame wins: only one is on its way at a time, so that none is lost here.
            for frame in super().__iter__():
                assert self.delivered.acquire(timeout=30)
                yield frame

    assert ids_of(Live([0, 0.1, 5], 30.0), folder) == [[1, 2], [1, 2], [3, 4]]
