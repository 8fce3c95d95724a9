"""Training views: labels stay on the pixels that they name, and the same generator gives the same view."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgeseg.core.classes import IGNORE_ID
from edgeseg.train.augment import augment
from edgeseg.train.recipe import View


def _scene() -> tuple[np.ndarray, np.ndarray]:
    """A picture whose brightness says its label: 50 a class, in blocks of 30x40 pixels."""
    labels = np.kron(np.arange(12).reshape(3, 4) % 5, np.ones((30, 40))).astype(np.uint8)
    return np.repeat((labels * 50)[:, :, None], 3, axis=2), labels


@pytest.mark.parametrize("stride", [2, 4])
def test_labels_lie_where_their_pixels_do(stride: int) -> None:
    image, labels = _scene()
    view = View(input_size=(192, 128), crop=(160, 96), label_stride=stride, colour=0)
    for seed in range(20):
        seen, judged = augment(image, labels, view, np.random.default_rng(seed))
        assert seen.shape == (96, 160, 3)
        assert judged.shape == (96 // stride, 160 // stride)
        cells = seen[:, :, 0].reshape(96 // stride, stride, 160 // stride, stride)
        flat = (cells.max((1, 3)) == cells.min((1, 3))) & (judged != IGNORE_ID)
        assert flat.mean() > 0.2
        np.testing.assert_array_equal(cells.max((1, 3))[flat], judged[flat] * 50)


def test_beyond_the_image_nothing_is_judged() -> None:
    image, labels = _scene()
    view = View(input_size=(96, 64), crop=(192, 128), scale=(0.5, 0.5), aspect=1.0)
    _, judged = augment(image, labels, view, np.random.default_rng(0))
    share = (judged != IGNORE_ID).mean()
    assert share == pytest.approx(48 * 32 / (192 * 128), rel=0.15)


def test_the_same_generator_gives_the_same_view_and_another_another() -> None:
    image, labels = _scene()
    view = View(input_size=(192, 128), crop=(96, 64))
    first, again, other = (augment(image, labels, view, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_label_is_that_of_the_middle_of_its_pixels() -> None:
    labels = np.tile(np.arange(96, dtype=np.uint8), (63, 1))
    image = np.repeat(labels[:, :, None], 3, axis=2)
    view = View(input_size=(96, 63), crop=(96, 63), label_stride=3, scale=(1, 1), aspect=1.0, colour=0)
    for seed in range(8):
        seen, judged = augment(image, labels, view, np.random.default_rng(seed))
        row = seen[0, :, 0]
        assert row.tolist() in (list(range(96)), list(range(95, -1, -1)))
        np.testing.assert_array_equal(judged, np.tile(row[1::3], (21, 1)))


def test_half_of_the_views_are_mirrored() -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :48] = 255
    view = View(input_size=(96, 64), crop=(96, 64), scale=(1, 1), aspect=1.0, colour=0)
    labels = np.zeros((64, 96), np.uint8)
    left = [augment(image, labels, view, np.random.default_rng(seed))[0][32, 10, 0] for seed in range(60)]
    assert 15 < sum(value == 0 for value in left) < 45
    assert set(left) == {0, 255}


def _corner_seen(balance: float, view: View) -> tuple[float, float]:
    """Returns how often 8x8 pixels of class 1 in a corner of 192x128 are in the crop, and the share that is judged."""
    labels = np.zeros((128, 192), np.uint8)
    labels[-8:, -8:] = 1
    image = np.repeat(labels[:, :, None], 3, axis=2)
    balanced = dataclasses.replace(view, balance=balance)
    crops = [augment(image, labels, balanced, np.random.default_rng(seed))[1] for seed in range(200)]
    seen = float(np.mean([(crop == 1).any() for crop in crops]))
    return seen, float(np.mean([(crop != IGNORE_ID).mean() for crop in crops]))


def test_balanced_crops_hold_a_rare_class_far_more_often() -> None:
    view = View(input_size=(192, 128), crop=(64, 64), scale=(1, 2), colour=0)
    seldom, _ = _corner_seen(0, view)
    half, _ = _corner_seen(0.5, view)
    often, _ = _corner_seen(1, view)
    assert seldom < 0.05
    # The classes that an image has take turns: the corner is aimed at every second time.
    assert 0.15 < half < 0.4 < often < 0.65


def test_balanced_crops_stay_inside_an_image_that_fills_them() -> None:
    # At the same size each, the finest stretch included.
    view = View(input_size=(192, 128), crop=(64, 64), scale=(1, 2), colour=0)
    assert _corner_seen(1, view)[1] == 1
    # What is smaller than the crop lies inside it whole.
    small = View(input_size=(96, 64), crop=(192, 128), scale=(0.5, 1), aspect=1.0, colour=0)
    seen, judged = _corner_seen(1, small)
    assert seen == 1
    assert judged == pytest.approx(_corner_seen(0, small)[1], rel=0.1)


def test_an_image_without_labels_is_seen_all_the_same() -> None:
    view = View(input_size=(96, 64), crop=(64, 64), balance=1, scale=(1, 1), aspect=1.0)
    image, labels = np.full((64, 96, 3), 90, np.uint8), np.full((64, 96), IGNORE_ID, np.uint8)
    seen, judged = augment(image, labels, view, np.random.default_rng(0))
    assert seen.min() > 0
    assert (judged == IGNORE_ID).all()


def test_blur_is_of_the_image_alone() -> None:
    image, labels = _scene()
    view = View(input_size=(192, 128), crop=(160, 96), colour=0)
    for seed in range(5):
        sharp, blurred = (
            augment(image, labels, dataclasses.replace(view, blur=blur), np.random.default_rng(seed))
            for blur in (0.0, 1.0)
        )
        np.testing.assert_array_equal(blurred[1], sharp[1])
        assert (
            np.abs(np.diff(blurred[0][:, :, 0].astype(int))).max()
            < np.abs(np.diff(sharp[0][:, :, 0].astype(int))).max()
        )
        assert blurred[0].mean() == pytest.approx(sharp[0].mean(), abs=0.5)


def test_only_a_share_of_the_views_is_blurred() -> None:
    image, labels = _scene()
    view = View(input_size=(192, 128), crop=(160, 96), colour=0)
    half = dataclasses.replace(view, blur=0.5)
    pairs = [[augment(image, labels, v, np.random.default_rng(seed))[0] for v in (view, half)] for seed in range(60)]
    assert 15 < sum(not np.array_equal(sharp, other) for sharp, other in pairs) < 45
