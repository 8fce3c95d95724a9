"""Training views: labels stay on the pixels that they name, and the same generator gives the same view."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.data.classes import IGNORE_ID
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
