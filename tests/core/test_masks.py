"""A robot asks for a class by name, whatever kind of model runs."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco

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


def test_masks_cut_out_are_the_masks() -> None:
    rng = np.random.default_rng(4)
    masks = np.zeros((4, 9, 13), dtype=bool)
    masks[0, 2:5, 3:9] = rng.random((3, 6)) < 0.5
    masks[1, :, :] = True
    masks[2, 8, 12] = True
    boxes, scores = np.zeros((4, 4), np.float32), np.ones(4, np.float32)
    whole = InstanceMasks(masks, boxes, scores, np.array([1, 0, 1, 1], np.uint8), CLASSES)
    cut = InstanceMasks(whole.cutouts, boxes, scores, whole.labels, CLASSES)
    np.testing.assert_array_equal(cut.masks, masks)
    np.testing.assert_array_equal(cut.of("car"), masks[[0, 2, 3]].any(axis=0))
    assert cut.to_coco() == whole.to_coco()
    for thing, mask in zip(cut.to_coco(), masks, strict=True):
        assert thing["segmentation"] == rle.encode(mask)
        np.testing.assert_array_equal(coco.decode(thing["segmentation"]).astype(bool), mask)
    some = cut.chosen(np.array([True, False, False, True]))
    np.testing.assert_array_equal(some.masks, masks[[0, 3]])
    assert some.labels.tolist() == [1, 1]
