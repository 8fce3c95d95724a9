"""Views of things: masks and boxes stay on the pixels of their things, what is hidden is not asked for, pastes lie on top."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.data.instances import Instances
from edgeseg.data.packed import PackedInstances
from edgeseg.train.instance_augment import CopyPaste, Labelled, Target, augment_instances, prototype_side
from edgeseg.train.recipe import View

Box = tuple[int, int, int, int]

HEIGHT, WIDTH, SIDE = 90, 120, 128
STILL = View(input_size=(SIDE, SIDE), crop=(SIDE, SIDE), scale=(1, 1), aspect=1.0, colour=0)
FREE = View(input_size=(SIDE, SIDE), crop=(SIDE, SIDE), colour=0)
RED, GREEN, BLUE = (0, 0, 250), (0, 250, 0), (250, 0, 0)


def scene(
    boxes: list[Box], colours: list[tuple[int, int, int]], crowd: bool = False, ground: tuple[int, int, int] = (0, 0, 0)
) -> Labelled:
    """Boxes in one colour each on a dark ground; a thing's label is its position."""
    image = np.full((HEIGHT, WIDTH, 3), ground, np.uint8)
    masks = np.zeros((len(boxes), HEIGHT, WIDTH), bool)
    for mask, (x0, y0, x1, y1), colour in zip(masks, boxes, colours, strict=True):
        mask[y0:y1, x0:x1] = True
        image[mask] = colour
    things = Instances(masks, np.arange(len(boxes)), np.full(len(boxes), crowd))
    return Labelled(image, PackedInstances(things), np.array([True]))


def pixels_of(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Returns bool [h, w], where the colour holds half of a pixel or more."""
    return (image.astype(int) @ np.array(colour)) / 250**2 >= 0.5


def cells(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Returns the share of each 4x4 pixels."""
    return mask.reshape(SIDE // 4, 4, SIDE // 4, 4).mean(axis=(1, 3))


def seen(sample: Labelled, view: View, seed: int, **pasting: object) -> tuple[NDArray[np.uint8], Target]:
    return augment_instances(sample, view, np.random.default_rng(seed), **pasting)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("side", "prototypes"), [(550, 138), (416, 104), (320, 80), (SIDE, 32)])
def test_masks_have_the_size_of_the_prototypes(side: int, prototypes: int) -> None:
    assert prototype_side(side) == prototypes
    view = View(input_size=(side, side), crop=(side, side), colour=0)
    image, target = seen(scene([(30, 20, 90, 70)], [RED]), view, 1)
    assert image.shape == (side, side, 3)
    assert target.masks.shape == (1, prototypes, prototypes)


@pytest.mark.parametrize("seed", range(12))
def test_masks_and_boxes_lie_on_their_things(seed: int) -> None:
    image, target = seen(scene([(10, 10, 40, 80), (60, 30, 115, 60)], [RED, GREEN]), FREE, seed)
    assert len(target.labels)
    for box, label, mask in zip(target.boxes, target.labels, target.masks, strict=True):
        pixels = pixels_of(image, (RED, GREEN)[label])
        sure = abs(cells(pixels) - 0.5) > 0.2
        np.testing.assert_array_equal(mask[sure], cells(pixels)[sure] > 0.5)
        rows, columns = np.nonzero(pixels)
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box * SIDE, around, atol=1)


def test_an_image_is_stretched_as_the_runtime_does() -> None:
    for seed in range(6):
        box = seen(scene([(0, 45, 60, 90)], [RED]), STILL, seed)[1].boxes[0]
        assert np.round(box, 2).tolist() in ([0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1])


def test_what_is_hardly_seen_is_not_judged_and_what_is_not_seen_is_gone() -> None:
    boxes: list[Box] = [(0, 0, 40, 90), (115, 0, 120, 4)]
    shares = np.array([40 * 90, 5 * 4]) / (WIDTH * HEIGHT)
    near = View(input_size=(SIDE, SIDE), crop=(SIDE, SIDE), scale=(2, 2), aspect=1.0, colour=0)
    met = {"judged": 0, "ignored": 0, "gone": 0}
    for seed in range(60):
        image, target = seen(scene(boxes, [RED, GREEN]), near, seed)
        for label, colour in enumerate((RED, GREEN)):
            pixels = int(pixels_of(image, colour).sum())
            share = pixels / (shares[label] * 4 * SIDE**2)
            if not pixels:
                assert label not in target.labels
                met["gone"] += 1
            elif abs(share - 0.1) > 0.02 and abs(pixels - 16) > 3:
                ignored = bool(target.crowd[target.labels == label][0])
                assert ignored == (share < 0.1 or pixels < 16)
                met["ignored" if ignored else "judged"] += 1
    assert min(met.values()) > 2, met


def test_a_judged_thing_has_a_mask_even_at_the_size_of_the_prototypes() -> None:
    line = scene([(20, 40, 100, 41)], [RED])
    found = [seen(line, FREE, seed)[1] for seed in range(20)]
    assert any(target.crowd.any() for target in found)
    for target in found:
        np.testing.assert_array_equal(target.masks.any(axis=(1, 2)) | target.crowd, True)


def test_a_crowd_stays_one_and_an_image_may_hold_nothing() -> None:
    assert seen(scene([(10, 10, 90, 80)], [RED], crowd=True), STILL, 0)[1].crowd.tolist() == [True]
    target = seen(scene([], []), STILL, 0, donor=scene([], []))[1]
    assert (target.boxes.shape, target.labels.shape, target.masks.shape) == ((0, 4), (0,), (0, 32, 32))
    assert (target.boxes.dtype, target.labels.dtype, target.crowd.dtype) == (np.float32, np.int64, np.bool_)


def test_a_balanced_view_is_placed_on_a_thing() -> None:
    speck = scene([(4, 4, 16, 16)], [RED])
    near = View(input_size=(SIDE, SIDE), crop=(SIDE, SIDE), scale=(3, 3), aspect=1.0, colour=0, balance=1.0)
    assert all(len(seen(speck, near, seed)[1].labels) == 1 for seed in range(20))


def test_pasted_things_lie_on_top_and_bring_nothing_else() -> None:
    base = scene([(0, 0, WIDTH, HEIGHT)], [RED])
    donor = scene([(40, 30, 80, 60)], [GREEN], ground=BLUE)
    for seed in range(10):
        image, target = seen(base, STILL, seed, donor=donor, paste=CopyPaste(scale=(0.5, 0.8)))
        assert len(target.labels) == 2
        under, over = target.masks
        share = cells(pixels_of(image, GREEN))
        sure = abs(share - 0.5) > 0.26
        np.testing.assert_array_equal(over[sure], share[sure] > 0.5)
        np.testing.assert_array_equal(under[sure], share[sure] < 0.5)
        x0, y0, x1, y1 = np.round(target.boxes[1] * SIDE).astype(int)
        assert (image[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] == GREEN).all()
        image[max(y0 - 2, 0) : y1 + 2, max(x0 - 2, 0) : x1 + 2] = RED
        assert (image[2:-2, 2:-2] == RED).all()


def test_what_a_paste_hides_is_gone_and_what_it_nearly_hides_is_not_judged() -> None:
    base = scene([(50, 40, 60, 50), (1, 30, 119, 60), (20, 0, 40, 4)], [RED, RED, RED])
    donor = scene([(5, 10, 115, 80)], [GREEN])
    target = seen(base, STILL, 0, donor=donor, paste=CopyPaste(scale=(1, 1)))[1]
    # The first lies under the paste, of the second 8 columns of 118 look out, the third lies above it.
    assert target.labels.tolist() == [1, 2, 0]
    assert target.crowd.tolist() == [True, False, False]


def test_a_thing_that_its_image_cuts_off_is_pasted_only_where_the_cut_is_at_the_edge() -> None:
    half = CopyPaste(scale=(0.5, 0.5))
    empty = scene([], [])
    for seed in range(16):
        assert not len(seen(empty, STILL, seed, donor=scene([(40, 0, 80, 40)], [GREEN]), paste=half)[1].labels)
    waists = [
        seen(empty, STILL, seed, donor=scene([(40, 50, 80, 90)], [GREEN]), paste=half)[1].boxes for seed in range(16)
    ]
    pasted = [float(boxes[0, 3]) for boxes in waists if len(boxes)]
    assert 2 < len(pasted) < 14
    assert set(pasted) == {1.0}


def test_crowds_specks_and_shreds_are_not_pasted_and_never_more_than_asked_for() -> None:
    empty, whole = scene([], []), CopyPaste(scale=(1, 1), most=2)
    assert not len(seen(empty, STILL, 0, donor=scene([(30, 30, 60, 60)], [GREEN], crowd=True), paste=whole)[1].labels)
    assert not len(seen(empty, STILL, 0, donor=scene([(30, 30, 34, 34)], [GREEN]), paste=whole)[1].labels)
    four: list[Box] = [(5, 5, 25, 25), (35, 5, 55, 25), (65, 5, 85, 25), (95, 5, 115, 25)]
    counts = [len(seen(empty, STILL, s, donor=scene(four, [GREEN] * 4), paste=whole)[1].labels) for s in range(20)]
    assert set(counts) == {1, 2}
    masks = np.zeros((1, HEIGHT, WIDTH), bool)
    masks[0, 20:60, 20:100:10] = masks[0, 20:60, 21:100:10] = True
    shreds = Instances(masks, np.zeros(1, np.int64), np.zeros(1, bool))
    donor = Labelled(empty.image, PackedInstances(shreds), empty.labelled)
    assert not len(seen(empty, STILL, 0, donor=donor, paste=whole)[1].labels)


@pytest.mark.parametrize("seed", range(8))
def test_a_mosaic_shows_four_images_each_in_its_corner(seed: int) -> None:
    whole: list[Box] = [(0, 0, WIDTH, HEIGHT)]
    red, green, blue, grey = (scene(whole, [colour]) for colour in (RED, GREEN, BLUE, (90, 90, 90)))
    small = View(input_size=(SIDE, SIDE), crop=(SIDE, SIDE), scale=(0.6, 0.7), aspect=1.0, colour=0)
    image, target = seen(red, small, seed, beside=(green, blue, grey))
    assert len(target.labels) == 4
    for colour, box, mask in zip((RED, GREEN, BLUE), target.boxes, target.masks, strict=False):
        pixels = pixels_of(image, colour)
        rows, columns = np.nonzero(pixels)
        around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box * SIDE, around, atol=1)
        sure = abs(cells(pixels) - 0.5) > 0.26
        np.testing.assert_array_equal(mask[sure], cells(pixels)[sure] > 0.5)
    middles = (target.boxes[:, :2] + target.boxes[:, 2:]) / 2
    assert (middles[[0, 2], 0].max() < middles[[1, 3], 0].min()) and (middles[:2, 1].max() < middles[2:, 1].min())


def test_what_was_not_looked_for_in_one_image_of_a_mosaic_was_not_looked_for() -> None:
    looked, overlooked = scene([], []), Labelled(scene([], []).image, scene([], []).things, np.array([False]))
    assert seen(looked, FREE, 0, beside=(looked, looked, looked))[1].labelled.tolist() == [True]
    assert seen(looked, FREE, 0, beside=(looked, overlooked, looked))[1].labelled.tolist() == [False]


def test_the_same_generator_gives_the_same_view_and_another_another() -> None:
    base, donor = scene([(10, 10, 60, 80)], [RED]), scene([(40, 30, 80, 60)], [GREEN])
    view = View(input_size=(SIDE, SIDE), crop=(SIDE, SIDE), blur=0.5)
    first, again, other = (seen(base, view, seed, donor=donor) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0], again[0])
    for one, two in zip(first[1], again[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])
