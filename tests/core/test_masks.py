"""A robot asks for a class by name, whatever kind of model runs."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.core import rle
from edgeseg.core.errors import UsageError
from edgeseg.core.masks import InstanceMasks, SemanticMask

CLASSES = ("road", "car", "pedestrian")


def two_cars() -> InstanceMasks:
    masks = np.zeros((2, 6, 8), dtype=bool)
    masks[0, 1:3, 1:4] = True
    masks[1, 3:5, 2:7] = True
    boxes = np.array([[1, 1, 4, 3], [2, 3, 7, 5]], dtype=np.float32)
    return InstanceMasks(
        masks, boxes, np.array([0.9, 0.5], np.float32), np.array([1, 1], np.uint8), CLASSES, np.array([7, 9])
    )


def test_of_gives_the_pixels_of_a_class() -> None:
    labels = np.array([[0, 1], [1, 2]], dtype=np.uint8)
    np.testing.assert_array_equal(SemanticMask(labels, CLASSES).of("car"), [[False, True], [True, False]])


def test_of_joins_the_instances_of_a_class_and_is_empty_where_there_are_none() -> None:
    things = two_cars()
    assert things.of("car").sum() == 16
    assert not things.of("pedestrian").any()


def test_an_unknown_class_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no class 'pedestrain': did you mean pedestrian"):
        SemanticMask(np.zeros((1, 1), np.uint8), CLASSES).of("pedestrain")


def test_coco_results_hold_mask_box_score_and_identity() -> None:
    first, _ = two_cars().to_coco()
    np.testing.assert_array_equal(rle.decode(first["segmentation"]), two_cars().masks[0])
    assert first["bbox"] == [1.0, 1.0, 3.0, 2.0]
    assert first["category"] == "car"
    assert first["score"] == pytest.approx(0.9)
    assert first["id"] == 7
