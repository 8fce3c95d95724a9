"""The picture of the worst frames: which ones, and in which colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.evaluate.worst import TILE, UNJUDGED, WRONG, WorstFrames


def frame(right: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A white image of 40 x 60, all green, of which the first `right` columns are answered right and the rest as blue."""
    truth = np.ones((40, 60), np.uint8)
    answer = truth.copy()
    answer[:, right:] = 2
    return np.full((40, 60, 3), 255, np.uint8), truth, answer


@pytest.fixture
def bundle(bundle_folder: Path) -> Bundle:
    return Bundle.open(bundle_folder)


def test_keeps_the_worst_and_draws_the_very_worst_first(tmp_path: Path, bundle: Bundle) -> None:
    worst = WorstFrames(tmp_path / "worst.png", bundle, count=3)
    for right in (50, 10, 60, 30, 20):
        worst.offer(f"right {right}", *frame(right))
    assert worst.names() == ["right 10", "right 20", "right 30"]
    assert worst.write() == str(tmp_path / "worst.png")
    picture = cv2.imread(str(tmp_path / "worst.png"))
    assert picture is not None
    # A row holds a tile of 40/60 of its width, and its caption.
    assert picture.shape[0] > 3 * TILE * 40 / 60
    assert picture.shape[1] > 4 * TILE
    assert [entry.name for entry in tmp_path.iterdir()] == ["worst.png"]


def test_wrong_pixels_are_red_and_ignored_ones_are_not(tmp_path: Path, bundle: Bundle) -> None:
    image, truth, answer = frame(30)
    truth[20:] = 255
    worst = WorstFrames(tmp_path / "worst.png", bundle)
    worst.offer("half", image, truth, answer)
    picture = worst.picture().astype(int)[:, :, ::-1]
    red = np.abs(picture - WRONG).sum(axis=2) < 80
    # Of the tile's four quarters one is wrong, and two are not judged; the legend has a chip of each colour.
    tile = TILE * TILE * 40 / 60
    assert red.sum() == pytest.approx(tile / 4, rel=0.05)
    assert (np.abs(picture - UNJUDGED).sum(axis=2) < 80).sum() == pytest.approx(tile / 2, rel=0.05)


def test_a_frame_where_nothing_is_judged_is_not_among_them(tmp_path: Path, bundle: Bundle) -> None:
    worst = WorstFrames(tmp_path / "worst.jpg", bundle)
    image, truth, answer = frame(30)
    worst.offer("nothing", image, np.full_like(truth, 255), answer)
    assert worst.names() == []
    assert worst.picture().ndim == 3


def test_a_place_that_cannot_be_written_is_told_before_any_work(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(EdgesegError, match=r"missing/worst\.jpg can't be written"):
        WorstFrames(tmp_path / "missing" / "worst.jpg", bundle)
    with pytest.raises(UsageError, match=r"\.jpg or \.jpeg or \.png"):
        WorstFrames(tmp_path / "worst.gif", bundle)
