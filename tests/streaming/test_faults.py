"""Whatever a camera does, every frame is accounted for, and no mask is another frame's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgeseg
from edgeseg.core.result import Frame
from edgeseg.streaming.pipeline import stream
from edgeseg.streaming.sources.base import BaseSource
from edgeseg.streaming.sources.fault import FaultSource

FRAMES = 5000
EVERY_FAULT = (
    "stall=0.01&stall_ms=1&disconnect=0.01&disconnect_ms=2&resize=0.02&truncate=0.02"
    "&clock=0.05&clock_ms=4000&slow_start=5"
)


class Tinted(BaseSource):
    """Frames of one colour each, red, green and blue in turn: the mask of a frame tells which frame it was."""

    def __init__(self, *, live: bool) -> None:
        self.address, self.live, self.frames = "tinted", live, FRAMES
        self._closed = False
        self._images = [
            np.full((32, 48, 3), colour, np.uint8) for colour in ((40, 40, 220), (60, 180, 40), (230, 80, 50))
        ]

    def __iter__(self) -> Iterator[Frame]:
        for index in range(FRAMES):
            if self._closed:
                return
            yield Frame(self._images[index % 3], index, time.monotonic_ns(), self.address)

    def close(self) -> None:
        self._closed = True


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> Iterator[edgeseg.Segmenter]:
    with edgeseg.load(bundle_folder, engine="onnxruntime", precision="fp32") as opened:
        yield opened


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), live=st.booleans())
def test_the_ledger_closes_over_5000_frames_with_every_fault_on(
    model: edgeseg.Segmenter, seed: int, live: bool
) -> None:
    source = FaultSource(f"fault://?seed={seed}&{EVERY_FAULT}&inner=tinted", lambda _: Tinted(live=live))
    captured_ns = 0
    with stream(source, model) as results:
        for result in results:
            assert isinstance(result.masks, edgeseg.SemanticMask)
            height, width = result.frame.image.shape[:2]
            assert result.masks.labels.shape == (height, width)
            blue, green, red = (int(v) for v in result.frame.image[height // 2, width // 2])
            expected = ("red", "green", "blue")[[red, green, blue].index(max(red, green, blue))]
            assert result.masks.of(expected).all()
            assert captured_ns <= result.frame.captured_ns <= result.timing.delivered_ns
            captured_ns = result.frame.captured_ns
    counts = results.ledger.counts()
    assert counts.in_flight == 0
    assert counts.captured == counts.delivered + sum(counts.dropped.values()) + counts.failed
    assert counts.failed > 0
    if not live:
        assert counts.captured == FRAMES
        assert not counts.dropped
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("edgeseg-")]
