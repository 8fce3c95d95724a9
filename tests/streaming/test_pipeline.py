"""The loop keeps its promises: the newest frame from a camera, every frame from a file, errors where the caller is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import edgeseg
from edgeseg.core.errors import SourceError
from edgeseg.core.result import Frame
from edgeseg.streaming.pipeline import NEWER_FRAME, SLOW_READER, STALE, STOPPED, Stream, stream
from edgeseg.streaming.sources.base import BaseSource

BITS = 12


def numbered(number: int) -> np.ndarray:
    """A picture that carries a number below 4,096: two rows of six patches, blue for 0 and red for 1."""
    image = np.zeros((64, 192, 3), dtype=np.uint8)
    for bit in range(BITS):
        row, column = divmod(bit, 6)
        colour = (40, 40, 220) if number >> bit & 1 else (230, 80, 50)
        image[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32] = colour
    return image


def number_in(labels: np.ndarray) -> int:
    return sum(int(labels[bit // 6 * 32 + 16, bit % 6 * 32 + 16] == 0) << bit for bit in range(BITS))


class Camera(BaseSource):
    """Numbered frames, `pause` seconds apart; ends after `count`, by `error` if there is one."""

    def __init__(self, count: int, *, live: bool, pause: float = 0.0, error: Exception | None = None) -> None:
        self.address, self.live = "numbered", live
        self._count, self._pause, self._error = count, pause, error
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self._count):
            if self.closed:
                return
            time.sleep(self._pause)
            yield Frame(numbered(number), number, time.monotonic_ns(), self.address)
        if self._error:
            raise self._error

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> Iterator[edgeseg.Segmenter]:
    with edgeseg.load(bundle_folder, engine="onnxruntime", precision="fp32") as opened:
        yield opened


def assert_settled(results: Stream) -> None:
    counts = results.ledger.counts()
    assert counts.in_flight == 0
    assert counts.captured == counts.delivered + sum(counts.dropped.values()) + counts.failed
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgeseg-")]


def test_a_file_loses_no_frame_and_keeps_their_order(model: edgeseg.Segmenter) -> None:
    with stream(Camera(300, live=False), model) as results:
        seen = []
        for result in results:
            assert number_in(result.masks.labels) == result.frame.index  # type: ignore[union-attr]
            seen.append(result.frame.index)
    assert seen == list(range(300))
    assert results.ledger.counts().delivered == 300
    assert_settled(results)


def test_a_slow_reader_gets_the_newest_masks_and_the_overwritten_are_counted(model: edgeseg.Segmenter) -> None:
    with stream(Camera(200, live=True, pause=0.002), model) as results:
        seen = []
        for result in results:
            assert number_in(result.masks.labels) == result.frame.index  # type: ignore[union-attr]
            seen.append(result.frame.index)
            time.sleep(0.02)
    assert seen == sorted(set(seen))
    counts = results.ledger.counts()
    assert counts.captured == 200
    assert 1 < counts.delivered < 150
    assert counts.dropped[SLOW_READER] > 0
    assert set(counts.dropped) <= {SLOW_READER, NEWER_FRAME, STOPPED}
    assert_settled(results)


def test_every_stage_is_timed_inside_the_frames_life(model: edgeseg.Segmenter) -> None:
    with stream(Camera(20, live=False), model) as results:
        for result in results:
            spans = result.timing.spans
            assert list(spans) == ["decode", "fit", "engine", "tail"]
            ends = [end for _, end in spans.values()]
            assert ends == sorted(ends)
            assert sum(end - begin for begin, end in spans.values()) <= result.timing.delivered_ns - spans["decode"][0]
            assert 0 <= result.latency_ms <= result.age_ms


def test_leaving_the_loop_ends_every_thread(model: edgeseg.Segmenter) -> None:
    camera = Camera(10_000, live=True, pause=0.001)
    results = stream(camera, model)
    for result in results:
        if result.frame.index > 5:
            break
    assert camera.closed
    assert_settled(results)


def test_a_source_that_breaks_is_reported_after_the_frames_before_it(model: edgeseg.Segmenter) -> None:
    results = stream(Camera(7, live=False, error=SourceError("the clip is cut off")), model)
    seen = 0
    with pytest.raises(SourceError, match="the clip is cut off"):
        for _ in results:
            seen += 1
    assert seen == 7
    assert_settled(results)


def test_an_error_in_a_stage_is_raised_at_the_caller_and_its_frame_counts_as_failed(model: edgeseg.Segmenter) -> None:
    class Torn(Camera):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                torn = np.zeros((3, 3), np.uint8) if frame.index == 4 else frame.image
                yield Frame(torn, frame.index, frame.captured_ns, frame.source)

    results = stream(Torn(50, live=False), model)
    with pytest.raises(edgeseg.EdgesegError, match="an image must be"):
        list(results)
    assert results.ledger.counts().failed == 1
    assert_settled(results)


def test_damaged_and_stale_frames_are_counted_and_never_delivered(model: edgeseg.Segmenter) -> None:
    class Flawed(Camera):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                damage = "cut short" if frame.index % 5 == 0 else ""
                yield Frame(frame.image, frame.index, frame.captured_ns, "", damage=damage, stale=frame.index % 5 == 1)

    with stream(Flawed(50, live=False), model) as results:
        delivered = [result.frame.index for result in results]
    assert delivered == [index for index in range(50) if index % 5 > 1]
    counts = results.ledger.counts()
    assert (counts.failed, counts.dropped) == (10, {STALE: 10})
    assert_settled(results)


def test_a_clock_that_jumps_gives_no_result_from_the_future_or_before_the_last(model: edgeseg.Segmenter) -> None:
    class Jumping(Camera):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                jump = (0, 10**10, -(10**10))[frame.index % 3]
                yield Frame(frame.image, frame.index, frame.captured_ns + jump, "")

    with stream(Jumping(60, live=False), model) as results:
        captured = []
        for result in results:
            assert 0 <= result.latency_ms < 5000
            captured.append(result.frame.captured_ns)
    assert captured == sorted(captured)
