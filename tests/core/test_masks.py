"""A robot asks for a class by name, whatever kind of model runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import supervision
from pycocotools import mask as coco

from edgeseg.core import rle
from edgeseg.core.cutouts import Cutouts
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


def test_supervision_takes_the_things_as_they_are() -> None:
    for things in (two_cars(), two_cars().chosen(np.array([False, False])), replace(two_cars(), ids=None)):
        taken = supervision.Detections(**things.to_supervision())
        assert len(taken) == len(things)
        np.testing.assert_array_equal(taken.mask, things.masks)
        np.testing.assert_array_equal(taken.xyxy, things.boxes)
        assert list(taken.data["class_name"]) == ["car"] * len(things)
        drawn = supervision.MaskAnnotator().annotate(np.zeros((6, 8, 3), np.uint8), taken)
        np.testing.assert_array_equal(drawn.any(axis=2), things.of("car"))


def test_what_supervision_gets_has_its_names_shapes_and_types() -> None:
    given = two_cars().to_supervision()
    assert given.keys() == {"xyxy", "mask", "confidence", "class_id", "tracker_id", "data"}
    assert (given["mask"].shape, given["mask"].dtype) == ((2, 6, 8), bool)
    assert (given["class_id"].tolist(), given["class_id"].dtype.kind) == ([1, 1], "i")
    assert given["tracker_id"].tolist() == [7, 9]
    assert given["data"]["class_name"].tolist() == ["car", "car"]


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


def test_pixels_shared_by_cutouts_are_those_shared_by_their_masks() -> None:
    rng = np.random.default_rng(7)
    ours, theirs = np.zeros((4, 12, 15), bool), np.zeros((3, 12, 15), bool)
    for mask in (*ours[:3], *theirs):
        x, y = rng.integers(0, 10, 2)
        mask[y : y + 6, x : x + 7] = rng.random(mask[y : y + 6, x : x + 7].shape) < 0.7
    shared = Cutouts.of(ours).shared(Cutouts.of(theirs))
    np.testing.assert_array_equal(shared, (ours[:, None] & theirs[None]).sum(axis=(2, 3)))
    assert shared.any() and not shared[3].any()
    np.testing.assert_array_equal(Cutouts.of(ours).areas(), ours.sum(axis=(1, 2)))
    assert Cutouts.of(ours[:0]).shared(Cutouts.of(theirs)).shape == (0, 3)
