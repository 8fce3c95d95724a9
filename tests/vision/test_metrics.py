"""The scores are the textbook's, on every pixel that is judged."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.core.errors import UsageError
from edgeseg.vision.metrics import ConfusionMatrix

CLASSES = ("a", "b", "c")


def test_a_worked_example() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 255, 1, 255]], np.uint8)
    said = np.array([[0, 1, 1, 1], [0, 2, 0, 0]], np.uint8)
    matrix = ConfusionMatrix(CLASSES)
    matrix.add(truth, said)
    assert matrix.iou()[:2].tolist() == pytest.approx([2 / 4, 2 / 4])
    assert np.isnan(matrix.iou()[2])
    assert matrix.miou() == pytest.approx(0.5)
    assert matrix.dice()[:2].tolist() == pytest.approx([4 / 6, 4 / 6])
    assert matrix.pixel_accuracy() == pytest.approx(4 / 6)


@settings(deadline=None)
@given(st.data())
def test_iou_is_intersection_over_union_over_all_images(data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))
    ids = st.sampled_from([0, 1, 2, 255])
    pairs = [
        (
            data.draw(hnp.arrays(np.uint8, shape, elements=ids)),
            data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 2))),
        )
        for _ in range(2)
    ]
    matrix = ConfusionMatrix(CLASSES)
    for truth, said in pairs:
        matrix.add(truth, said)
    truth = np.concatenate([pair[0].ravel() for pair in pairs])
    said = np.concatenate([pair[1].ravel() for pair in pairs])
    judged = truth != 255
    for label, iou in enumerate(matrix.iou()):
        both = np.sum((truth == label) & (said == label))
        either = np.sum(((truth == label) | (said == label)) & judged)
        assert (np.isnan(iou) and not either) or iou == pytest.approx(both / either)


def test_nothing_judged_is_not_a_number() -> None:
    matrix = ConfusionMatrix(CLASSES)
    matrix.add(np.full((2, 2), 255, np.uint8), np.zeros((2, 2), np.uint8))
    assert np.isnan(matrix.miou())
    assert np.isnan(matrix.pixel_accuracy())


def test_sizes_and_ids_that_can_not_be_are_refused() -> None:
    matrix = ConfusionMatrix(CLASSES)
    with pytest.raises(UsageError, match="one size"):
        matrix.add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(UsageError, match="beyond the 3 classes"):
        matrix.add(np.full((2, 2), 7, np.uint8), np.zeros((2, 2), np.uint8))
