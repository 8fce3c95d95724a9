"""Several sources on one engine: each keeps its order, its share and its ledger, whatever the others do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edgeseg
from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource


class Paced(BaseSource):
    """Plain frames, `pause` seconds apart, `count` of them; then `error`, if there is one."""

    def __init__(self, count: int, *, live: bool, pause: float = 0.0, error: Exception | None = None) -> None:
        self.address, self.live = f"paced://{count}", live
        self._count, self._pause, self._error = count, pause, error
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self._count):
            if self._closed:
                return
            time.sleep(self._pause)
            yield Frame(np.full((48, 64, 3), number % 256, np.uint8), number, time.monotonic_ns(), self.address)
        if self._error:
            raise self._error

    def close(self) -> None:
        self._closed = True


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> Iterator[edgeseg.Segmenter]:
    with edgeseg.load(bundle_folder, engine="onnxruntime", precision="fp32") as opened:
        yield opened


def assert_closed(results: edgeseg.Stream) -> None:
    for lane in results.lanes:
        counts = lane.ledger.counts()
        assert counts.in_flight == 0
        assert counts.captured == counts.delivered + sum(counts.dropped.values()) + counts.failed


def test_no_frame_of_a_file_is_lost_beside_another_and_beside_a_camera(model: edgeseg.Segmenter) -> None:
    sources = [Paced(40, live=False), Paced(25, live=False), Paced(60, live=True, pause=0.001)]
    seen: list[list[int]] = [[], [], []]
    with edgeseg.stream(sources, model) as results:
        for result in results:
            assert result.frame.source == sources[result.lane].address
            seen[result.lane].append(result.frame.index)
    assert seen[:2] == [list(range(40)), list(range(25))]
    assert seen[2] == sorted(set(seen[2])) and seen[2]
    assert_closed(results)


def test_a_camera_that_floods_leaves_a_slow_one_every_frame(model: edgeseg.Segmenter) -> None:
    flood, calm = Paced(10_000, live=True), Paced(15, live=True, pause=0.04)
    calm_seen = []
    with edgeseg.stream([flood, calm], model) as results:
        for result in results:
            if result.lane == 1:
                calm_seen.append(result.frame.index)
            if len(calm_seen) >= 10 or results.lanes[0].ledger.counts().captured >= 10_000:
                break
    assert len(calm_seen) >= 10
    assert results.lanes[1].ledger.counts().delivered >= 10
    assert_closed(results)


def test_a_source_that_breaks_ends_alone_and_is_told_at_the_end(model: edgeseg.Segmenter) -> None:
    broken = Paced(5, live=False, error=SourceError("paced: unplugged"))
    seen = [0, 0]
    results = edgeseg.stream([broken, Paced(50, live=False)], model)
    with pytest.raises(SourceError, match="unplugged"):
        for result in results:
            seen[result.lane] += 1
    assert seen == [5, 50]
    assert str(results.lanes[0].error) == "paced: unplugged" and results.lanes[1].error is None
    assert all(lane.ended for lane in results.lanes)
    assert_closed(results)


def test_a_source_that_cannot_be_opened_closes_those_before_it(model: edgeseg.Segmenter) -> None:
    first = Paced(5, live=False)
    with pytest.raises(edgeseg.EdgesegError):
        edgeseg.stream([first, "/nowhere/clip.mp4"], model)
    assert first._closed
