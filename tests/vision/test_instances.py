"""Masks are torch's bilinear upsample of the linear combination, its sign, inside the box; Fast NMS is the paper's matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeseg.vision.instances import CANDIDATES, decode_instances, fast_nms, find_things

torch.set_num_threads(1)


def reals(values: object) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def upsampled(coefficients: NDArray, prototypes: NDArray, height: int, width: int) -> NDArray:
    """The linear combinations at the frame's pixels, float32 [N, height, width]."""
    combined = torch.einsum("nk,khw->nhw", torch.from_numpy(coefficients), torch.from_numpy(prototypes))
    return torch.nn.functional.interpolate(combined[None], size=(height, width), mode="bilinear", align_corners=False)[
        0
    ].numpy()


def inside(boxes: NDArray, height: int, width: int) -> NDArray:
    """Which pixels a box, x0 y0 x1 y1 in pixels, touches: bool [N, height, width]."""
    x0, y0, x1, y1 = (v[:, None, None] for v in boxes.T)
    y, x = np.mgrid[:height, :width][:, None]
    return (x >= np.floor(x0)) & (x < np.ceil(x1)) & (y >= np.floor(y0)) & (y < np.ceil(y1))


def assert_masks_are_exact(coefficients: NDArray, prototypes: NDArray, boxes: NDArray, height: int, width: int) -> None:
    count = len(boxes)
    scores = np.linspace(0.9, 0.5, count, dtype=np.float32)[:, None]
    masks, placed, found, _ = decode_instances(
        boxes, scores, coefficients, prototypes, height, width, overlap=1.0, most=count
    )
    values = upsampled(coefficients, prototypes, height, width)
    expected = (values > 0) & inside(boxes * reals([width, height, width, height]), height, width)
    undecided = np.abs(values) <= 4e-6 * np.abs(coefficients).sum(axis=1).max() * max(1.0, np.abs(prototypes).max())
    seen = np.searchsorted(-scores[:, 0], -found)
    np.testing.assert_array_equal(scores[seen, 0], found)
    np.testing.assert_allclose(placed, boxes[seen] * [width, height, width, height], rtol=1e-6)
    full = np.zeros_like(expected)
    full[seen] = masks
    assert ((full == expected) | undecided).all()
    assert masks.any(axis=(1, 2)).all(), "a thing without a pixel is none"


def some_boxes(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    ends = np.sort(rng.random((count, 2, 2), dtype=np.float32), axis=1)
    ends[:, 1] = np.minimum(ends[:, 1] + np.float32(0.01), 1)
    return ends.reshape(count, 4)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 9999),
)
def test_any_prototypes_at_any_size(kinds: int, rows: int, columns: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    prototypes = rng.normal(size=(kinds, rows, columns)).astype(np.float32)
    coefficients = np.tanh(rng.normal(size=(4, kinds))).astype(np.float32)
    assert_masks_are_exact(coefficients, prototypes, some_boxes(rng, 4), height, width)


@pytest.mark.parametrize("size", [(720, 1280), (360, 480), (104, 104), (31, 47)])
def test_masks_that_are_blobs(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    coarse = torch.from_numpy(rng.normal(size=(1, 8, 6, 6)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(52, 52), mode="bicubic")[0].relu().numpy()
    coefficients = np.tanh(rng.normal(size=(6, 8))).astype(np.float32)
    boxes = some_boxes(rng, 6)
    boxes[0] = [0, 0, 1, 1]
    assert_masks_are_exact(coefficients, smooth, boxes, *size)


def fast_nms_in_torch(boxes: NDArray, scores: NDArray, threshold: float, overlap: float) -> set[tuple[int, int]]:
    """The paper's matrix, class by class: {(anchor, class)}."""
    stays = set()
    for label in range(scores.shape[1]):
        order = np.argsort(-scores[:, label], kind="stable")
        anchors = order[scores[order, label] > threshold][:CANDIDATES]
        chosen = torch.from_numpy(boxes[anchors])
        low = torch.maximum(chosen[:, None, :2], chosen[None, :, :2])
        high = torch.minimum(chosen[:, None, 2:], chosen[None, :, 2:])
        shared = (high - low).clamp(min=0).prod(dim=2)
        areas = (chosen[:, 2:] - chosen[:, :2]).prod(dim=1)
        iou = torch.triu(shared / (areas[:, None] + areas[None] - shared), diagonal=1)
        highest = iou.max(dim=0).values if len(anchors) else torch.zeros(0)
        stays |= {(int(anchor), label) for anchor in anchors[(highest <= overlap).numpy()]}
    return stays


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 3), st.sampled_from([0.2, 0.5, 0.8]), st.sampled_from([3, 60, 500]))
def test_fast_nms_is_the_papers(seed: int, classes: int, overlap: float, count: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.random((count, 2), dtype=np.float32) * np.float32(0.6)
    boxes = np.concatenate(
        [corner, corner + rng.random((count, 2), dtype=np.float32) * np.float32(0.39) + 0.01], axis=1
    )
    boxes = boxes.astype(np.float32)
    scores = reals(rng.integers(0, 40, (count, classes)) / 40)  # ties abound
    anchors, labels = fast_nms(boxes, scores, 0.3, overlap, most=10_000)
    assert set(zip(anchors.tolist(), labels.tolist(), strict=True)) == fast_nms_in_torch(boxes, scores, 0.3, overlap)
    rank = [(-scores[a, c], a, c) for a, c in zip(anchors, labels, strict=True)]
    assert rank == sorted(rank), "the surest first; equal ones by anchor, then class"
    few, _ = fast_nms(boxes, scores, 0.3, overlap, most=2)
    np.testing.assert_array_equal(few, anchors[:2])


def test_a_box_that_goes_takes_others_with_it_as_fast_nms_has_it() -> None:
    boxes = reals([[0, 0, 0.4, 0.1], [0.1, 0, 0.5, 0.1], [0.2, 0, 0.6, 0.1]])
    anchors, _ = fast_nms(boxes, reals([[0.9], [0.8], [0.7]]), 0.3, 0.5, 100)
    assert anchors.tolist() == [0]


def test_a_box_stays_at_the_very_overlap_and_goes_beyond_it() -> None:
    boxes = reals([[0, 0, 0.5, 0.5], [0, 0, 0.25, 0.5]])
    scores = reals([[0.9], [0.8]])
    assert fast_nms(boxes, scores, 0.3, 0.5, 100)[0].tolist() == [0, 1]
    assert fast_nms(boxes, scores, 0.3, 0.499, 100)[0].tolist() == [0]


def full_frame(count: int, classes: int = 1) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """As many things as anchors, each a box of its own, and a prototype that is positive everywhere."""
    columns = next(columns for columns in range(int(np.sqrt(count)), count + 1) if count % columns == 0)
    row, column = np.divmod(np.arange(count), columns)
    sides = np.array([columns, count // columns] * 2)
    boxes = (np.stack([column, row, column + 1, row + 1], axis=1) / sides).astype(np.float32)
    ones = np.ones((count, classes), dtype=np.float32)
    return boxes, ones * np.float32(0.9), ones[:, :1], np.ones((1, 5, 7), dtype=np.float32)


def test_no_thing_and_two_hundred() -> None:
    boxes, scores, coefficients, prototypes = full_frame(200)
    masks, placed, found, labels = decode_instances(boxes, scores * 0, coefficients, prototypes, 90, 120)
    assert (masks.shape, placed.shape, found.shape, labels.shape) == ((0, 90, 120), (0, 4), (0,), (0,))
    assert (masks.dtype, placed.dtype, found.dtype, labels.dtype) == (bool, np.float32, np.float32, np.uint8)
    masks, placed, _, labels = decode_instances(boxes, scores, coefficients, prototypes, 90, 120, most=200)
    assert masks.any(axis=0).all()
    assert (labels == 0).all()
    np.testing.assert_allclose(placed, boxes * [120, 90, 120, 90], rtol=1e-6)
    assert len(decode_instances(boxes, scores, coefficients, prototypes, 90, 120)[0]) == 100


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        ((-0.5, -0.5, 0.5, 0.5), (0, 0, 20, 10)),
        ((0.75, 0.5, 7.0, 1e30), (30, 10, 40, 20)),
        ((0.26, 0.26, 0.49, 0.49), (10, 5, 20, 10)),
    ],
)
def test_a_box_that_leaves_the_frame_is_cut_to_it(box: tuple[float, ...], pixels: tuple[int, ...]) -> None:
    _, scores, coefficients, prototypes = full_frame(1)
    things = find_things(reals([box]), scores, coefficients, prototypes, 20, 40)
    assert things.windows.tolist() == [list(pixels)]
    assert things.cutouts[0].all()
    assert things.boxes.min() >= 0
    assert (things.boxes <= [40, 20, 40, 20]).all()


@pytest.mark.parametrize(
    "box",
    [
        (1.1, 0.1, 1.5, 0.5),
        (-0.5, 0.1, -0.1, 0.5),
        (0.5, 0.5, 0.5, 0.9),
        (0.6, 0.1, 0.2, 0.5),
        (np.nan, 0.1, 0.5, 0.5),
        (0.1, 0.1, np.inf, 0.5),
    ],
)
def test_a_box_that_holds_nothing_is_no_thing_and_hides_none(box: tuple[float, ...]) -> None:
    boxes, scores, coefficients, prototypes = full_frame(4)
    boxes[0] = box
    scores[0] = 1.0
    masks, *_ = decode_instances(boxes, scores, coefficients, prototypes, 20, 40)
    assert len(masks) == 3


def test_what_is_no_number_is_no_thing() -> None:
    boxes, scores, coefficients, prototypes = full_frame(4, classes=2)
    scores[0] = np.nan
    scores[1:, 1] = 0.1
    coefficients[1] = np.nan
    masks, _, found, labels = decode_instances(boxes, scores, coefficients, prototypes, 20, 40)
    assert len(masks) == 2
    assert np.isfinite(found).all()
    assert labels.tolist() == [0, 0]
