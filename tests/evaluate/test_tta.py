"""Test-time augmentation: every view put back where it was taken from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.evaluate.tta import augmented, views, windows
from edgeseg.runtime.segmenter import SemanticSegmenter, load
from edgeseg.synthetic import Street


@pytest.fixture(scope="module")
def shipped() -> Iterator[SemanticSegmenter]:
    with load("fast-scnn-street", engine="onnxruntime", precision="fp32") as segmenter:
        assert isinstance(segmenter, SemanticSegmenter)
        yield segmenter


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return Street(2, 241, 161).render(60).image


def test_the_views_are_put_back_where_they_were_taken(bundle_folder: Path, bars: np.ndarray) -> None:
    # Bars of unlike width, the first on top of the others too, so that neither mirroring nor shifting goes unseen.
    image = np.roll(bars, 37, axis=1)
    image[:30] = bars[0, 0]
    truth = (image[:, :, 1] == bars[0, 60, 1]) * 1 + (image[:, :, 0] == bars[0, 120, 0]) * 2
    with load(bundle_folder, engine="onnxruntime") as segmenter:
        assert isinstance(segmenter, SemanticSegmenter)
        answer = augmented(segmenter.logits, image)
    inner = np.zeros(truth.shape, bool)
    inner[4:-4, 4:-4] = True
    for shift in (-4, 4):
        inner &= (np.roll(truth, shift, axis=1) == truth) & (np.roll(truth, shift, axis=0) == truth)
    assert inner.mean() > 0.6
    assert (answer == truth)[inner].all()


def test_a_mirrored_frame_has_the_mirrored_answer(shipped: SemanticSegmenter, frame: np.ndarray) -> None:
    mirrored = np.ascontiguousarray(frame[:, ::-1])
    assert (shipped(mirrored).labels[:, ::-1] == shipped(frame).labels).mean() < 0.995
    same = augmented(shipped.logits, mirrored)[:, ::-1] == augmented(shipped.logits, frame)
    assert same.mean() > 0.999


def test_the_network_looks_at_a_frame_as_often_as_is_said(shipped: SemanticSegmenter, frame: np.ndarray) -> None:
    looks: list[tuple[int, ...]] = []

    def counted(image: np.ndarray) -> np.ndarray:
        looks.append(image.shape)
        return shipped.logits(image)

    answer = augmented(counted, frame)
    assert answer.shape == frame.shape[:2]
    assert answer.dtype == np.uint8
    assert len(looks) == views() == 10
    assert set(looks) == {(161, 241, 3), (129, 193, 3)}


@given(st.integers(1, 300), st.integers(1, 300), st.floats(1, 3))
def test_windows_cover_the_frame_and_stay_inside(height: int, width: int, scale: float) -> None:
    covered = np.zeros((height, width), bool)
    for left, top, wide, high in windows(height, width, scale):
        assert left >= 0 and top >= 0 and left + wide <= width and top + high <= height
        covered[top : top + high, left : left + wide] = True
    assert covered.all()
