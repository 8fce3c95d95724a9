"""Painting equals its formula on every pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import InstanceMasks
from edgeseg.vision.overlay import LINE_OPACITY, LINE_WHITE, colour_of_id, compose, paint, paint_instances

PALETTE = ((220, 40, 10), (30, 180, 60), (50, 80, 230))


def blended(image: NDArray[np.uint8], colour: NDArray[np.float64], opacity: float) -> NDArray[np.uint8]:
    alpha = round(255 * opacity)
    return np.floor((image * (255.0 - alpha) + np.rint(colour) * alpha) / 255 + 0.5).astype(np.uint8)


def painted_slowly(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], palette: NDArray[np.int64], opacity: float, lines: bool
) -> NDArray[np.uint8]:
    expected = image.copy()
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label >= len(palette):
                continue
            colour, strength = palette[label][::-1].astype(np.float64), opacity
            on_line = labels[y, min(x + 1, width - 1)] != label or labels[min(y + 1, height - 1), x] != label
            if lines and on_line:
                colour, strength = colour * (1 - LINE_WHITE) + 255 * LINE_WHITE, max(opacity, LINE_OPACITY)
            expected[y, x] = blended(image[y, x], colour, strength)
    return expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 33), st.integers(1, 13), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.booleans(), st.integers(0, 99))
def test_every_pixel_is_the_formula(width: int, height: int, opacity: float, lines: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = rng.choice(np.array([0, 0, 1, 2, 3, 255], dtype=np.uint8), (height, width))
    palette = rng.integers(1, 256, (3, 3))
    painted = paint(image, labels, palette, opacity, lines=lines)
    np.testing.assert_array_equal(painted, painted_slowly(image, labels, palette, opacity, lines))


def test_blending_is_exact_for_every_pair_of_values() -> None:
    image = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    labels = np.zeros((1, 256), dtype=np.uint8)
    for value in range(0, 256, 5):
        for opacity in (0.0, 0.1, 0.5, 0.77, 1.0):
            expected = blended(image, np.array((value, value, 1.0)), opacity)
            np.testing.assert_array_equal(paint(image, labels, [(1, value, value)], opacity), expected)


def test_the_palette_is_rgb_and_the_picture_bgr() -> None:
    red = paint(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), [(255, 0, 0)], opacity=1.0)
    assert red[0, 0].tolist() == [0, 0, 255]


def test_ids_without_a_colour_leave_the_picture_as_it_was() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    labels = np.full((20, 30), 255, dtype=np.uint8)
    labels[:, 15:] = len(PALETTE)
    np.testing.assert_array_equal(paint(image, labels, PALETTE, opacity=1.0), image)


def test_a_black_class_leaves_the_picture_as_it_was() -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    labels = np.zeros((200, 300), dtype=np.uint8)
    labels[:, 150:] = 1
    painted = paint(image, labels, [(0, 0, 0), (255, 0, 0)], opacity=1.0)
    np.testing.assert_array_equal(painted[:, :150], image[:, :150])
    assert (painted[:, 150:] != image[:, 150:]).any()


def test_out_may_be_the_picture_itself() -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (17, 21, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, (17, 21), dtype=np.uint8)
    expected = paint(image, labels, PALETTE)
    assert paint(image, labels, PALETTE, out=image) is image
    np.testing.assert_array_equal(image, expected)


def test_slices_of_larger_arrays_are_painted_too() -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (24, 40, 3), dtype=np.uint8)
    labels = rng.integers(0, 3, (24, 40), dtype=np.uint8)
    part = (slice(3, 20), slice(5, 35))
    expected = paint(image[part].copy(), labels[part].copy(), PALETTE)
    np.testing.assert_array_equal(paint(image[part], labels[part], PALETTE), expected)


def test_a_mask_of_another_size_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="40x20 don't fit a picture of 30x20"):
        paint(np.zeros((20, 30, 3), np.uint8), np.zeros((20, 40), np.uint8), PALETTE)


def things(ids: list[int] | None = None) -> InstanceMasks:
    """A disc of class 0 (score 0.5) that a square of class 2 (score 0.9) covers in part, on 60x40."""
    y, x = np.mgrid[:40, :60]
    disc = (x - 20) ** 2 + (y - 20) ** 2 <= 100
    square = (x >= 22) & (x < 40) & (y >= 10) & (y < 30)
    return InstanceMasks(
        np.stack([disc, square]),
        boxes=np.array([[9.6, 9.6, 31.2, 31.2], [22, 10, 40, 30]], dtype=np.float32),
        scores=np.array([0.5, 0.9], dtype=np.float32),
        labels=np.array([0, 2], dtype=np.uint8),
        classes=("a", "b", "c"),
        ids=None if ids is None else np.array(ids, dtype=np.int64),
    )


def test_the_surer_thing_lies_on_top_and_the_rest_is_untouched() -> None:
    image = np.full((40, 60, 3), 100, dtype=np.uint8)
    seen = things()
    painted = paint_instances(image, seen, PALETTE, opacity=1.0)
    assert painted[20, 12].tolist() == list(PALETTE[0][::-1])
    assert painted[20, 25].tolist() == list(PALETTE[2][::-1])  # both masks hold this pixel
    np.testing.assert_array_equal(painted[~seen.masks.any(axis=0)], image[~seen.masks.any(axis=0)])


def test_a_thing_is_outlined_all_around_and_where_one_covers_another() -> None:
    image = np.full((40, 60, 3), 100, dtype=np.uint8)
    seen = things()
    painted = paint_instances(image, seen, PALETTE, opacity=0.5)
    disc, square = seen.masks[0] & ~seen.masks[1], seen.masks[1]
    for shown, colour in ((disc, PALETTE[0]), (square, PALETTE[2])):
        framed = np.pad(shown, 1)
        core = framed[1:-1, 1:-1] & framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
        bgr = np.array(colour[::-1], dtype=np.float64)
        line = blended(image, bgr * (1 - LINE_WHITE) + 255 * LINE_WHITE, LINE_OPACITY)
        np.testing.assert_array_equal(painted[shown & ~core], line[shown & ~core])
        np.testing.assert_array_equal(painted[core], blended(image, bgr, 0.5)[core])


def test_a_tracked_thing_keeps_its_colour_whatever_else_is_seen() -> None:
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    both = paint_instances(image, things(ids=[7, 8]), PALETTE, opacity=1.0)
    swapped = paint_instances(image, things(ids=[8, 7]), PALETTE, opacity=1.0)
    assert both[20, 12].tolist() == list(colour_of_id(7)[::-1]) == swapped[20, 30].tolist()
    assert both[20, 30].tolist() == list(colour_of_id(8)[::-1]) == swapped[20, 12].tolist()


def test_colours_of_neighbouring_ids_are_far_apart() -> None:
    colours = np.array([colour_of_id(number) for number in range(100)])
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 120


def test_no_things_and_things_that_leave_the_picture() -> None:
    image = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    seen = things()
    none = InstanceMasks(seen.masks[:0], seen.boxes[:0], seen.scores[:0], seen.labels[:0], seen.classes)
    np.testing.assert_array_equal(paint_instances(image, none, PALETTE), image)
    seen.boxes[:] = [[-5, -9, 70, 90], [-30, -30, -10, -10]]
    assert paint_instances(image, seen, PALETTE, opacity=1.0)[20, 12].tolist() == list(PALETTE[0][::-1])


def test_a_piece_is_laid_where_it_belongs() -> None:
    image = np.full((10, 12, 3), 200, dtype=np.uint8)
    colour = np.zeros((2, 3, 3), dtype=np.uint8)
    alpha = np.full((2, 3, 3), 51, dtype=np.uint8)
    compose(image, colour, alpha, left=9, top=8)
    expected = np.full((10, 12, 3), 200, dtype=np.uint8)
    expected[8:, 9:] = 160
    np.testing.assert_array_equal(image, expected)
    with pytest.raises(UsageError, match="does not lie inside"):
        compose(image, colour, alpha, left=10, top=8)
