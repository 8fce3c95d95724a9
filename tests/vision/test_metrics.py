"""Scores against examples worked by hand, and against loops that anyone can check."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeseg.core.errors import UsageError
from edgeseg.vision.metrics import ConfusionMatrix

CLASSES = ("a", "b", "c")


def test_an_example_worked_by_hand() -> None:
    truth = np.array([[0, 0, 0, 1], [1, 1, 255, 255]], dtype=np.uint8)
    predicted = np.array([[0, 0, 1, 1], [1, 0, 0, 2]], dtype=np.uint8)
    matrix = ConfusionMatrix(CLASSES)
    matrix.add(truth, predicted)
    # a: 2 hits, 1 missed, 1 false: 2/4. b: 2 hits, 1 missed, 1 false: 2/4. c occurs only where nobody judges.
    assert matrix.counts.tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert matrix.iou()[:2].tolist() == [0.5, 0.5]
    assert math.isnan(matrix.iou()[2])
    assert matrix.miou() == 0.5
    assert matrix.dice()[:2].tolist() == [2 / 3, 2 / 3]
    assert math.isnan(matrix.dice()[2])
    assert matrix.pixel_accuracy() == 4 / 6


def test_a_class_that_is_only_predicted_counts_as_wrong() -> None:
    matrix = ConfusionMatrix(CLASSES)
    matrix.add(np.zeros((1, 4), np.uint8), np.array([[0, 0, 0, 2]], np.uint8))
    assert matrix.iou()[0] == 0.75
    assert matrix.iou()[2] == 0.0
    assert matrix.miou() == 0.375


def test_nothing_judged_is_nan_without_a_warning() -> None:
    matrix = ConfusionMatrix(CLASSES)
    assert math.isnan(matrix.miou())
    assert math.isnan(matrix.pixel_accuracy())
    matrix.add(np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8))
    assert matrix.counts.sum() == 0


def test_images_add_up_before_they_are_divided() -> None:
    small, large = np.zeros((1, 1), np.uint8), np.zeros((1, 9), np.uint8)
    matrix = ConfusionMatrix(CLASSES)
    matrix.add(small, small + 1)
    matrix.add(large, large)
    assert matrix.iou()[0] == 0.9


def test_an_unknown_id_or_another_size_is_a_usage_error_and_counts_nothing() -> None:
    matrix = ConfusionMatrix(CLASSES)
    truth = np.array([[0, 1, 2]], np.uint8)
    with pytest.raises(UsageError, match="1 pixels carry an id beyond the 3 classes"):
        matrix.add(truth, np.array([[0, 1, 3]], np.uint8))
    with pytest.raises(UsageError, match="1 pixels"):
        matrix.add(np.array([[0, 1, 3]], np.uint8), truth)
    with pytest.raises(UsageError, match="give both one size"):
        matrix.add(truth, truth.T)
    assert matrix.counts.sum() == 0


@settings(deadline=None)
@given(st.data())
def test_equals_plain_loops(data: st.DataObject) -> None:
    matrix = ConfusionMatrix(CLASSES)
    pairs = []
    for _ in range(data.draw(st.integers(1, 3))):
        shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=9))
        truth = data.draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 9])))
        predicted = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 2)))
        matrix.add(truth, predicted, ignore_id=9)
        pairs.append((truth, predicted))
    judged = [
        (int(t), int(p))
        for truth, predicted in pairs
        for t, p in zip(truth.ravel(), predicted.ravel(), strict=True)
        if t != 9
    ]
    overlaps = []
    for k in range(len(CLASSES)):
        both = sum(t == k and p == k for t, p in judged)
        either = sum(t == k or p == k for t, p in judged)
        dice = 2 * both / (both + either) if either else float("nan")
        overlaps.append(both / either if either else float("nan"))
        np.testing.assert_allclose(matrix.iou()[k], overlaps[k])
        np.testing.assert_allclose(matrix.dice()[k], dice)
    occurring = [value for value in overlaps if not math.isnan(value)]
    if occurring:
        assert matrix.miou() == pytest.approx(sum(occurring) / len(occurring))
        assert matrix.pixel_accuracy() == pytest.approx(sum(t == p for t, p in judged) / len(judged))
