"""Each thing has its mask, pixel for pixel; crowds and specks are told from things; what is unsound is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO

from edgeseg.core import rle
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.coco_instances import CocoInstances
from edgeseg.data.instance_samples import open_instances
from edgeseg.data.instances import Instances
from edgeseg.data.packed import PackedInstances
from edgeseg.data.street_samples import StreetSamples
from edgeseg.synthetic import StreetView

WIDTH, HEIGHT = 96, 64
PERSON, CAR = 1, 3


def box(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def corners(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def annotation(number: int, image: int, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "iscrowd": crowd, "segmentation": segmentation}


SKEWED = [[10.2, 50.7, 30.1, 20.4, 44.9, 61.3], [60.0, 5.5, 70.5, 5.5, 71.3, 9.9, 66.6, 14.2, 58.8, 11.1]]
CROWD = {"size": [HEIGHT, WIDTH], "counts": [50 * HEIGHT, 20 * HEIGHT, 26 * HEIGHT]}
DOCUMENT: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
        {"id": 8, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
    ],
    "categories": [{"id": PERSON, "name": "person"}, {"id": CAR, "name": "car"}],
    "annotations": [
        annotation(70, 7, PERSON, SKEWED),
        annotation(71, 7, CAR, [corners(0, 40, 40.4, 66)]),
        annotation(72, 7, PERSON, rle.encode(box(80, 0, 96, 8))),
        annotation(73, 7, PERSON, CROWD, crowd=1),
    ],
}
SPECK = [corners(20.1, 20.1, 20.3, 20.3)]
"""Between the centres of all pixels."""


def write(folder: Path, document: Any) -> None:
    (folder / "instances.json").write_text(json.dumps(document))


@pytest.fixture
def root(tmp_path: Path, frames: list[StreetView]) -> Path:
    """Two images: a without things, b with people, a crowd and a car."""
    (tmp_path / "images").mkdir()
    for name, view in zip("ab", frames, strict=False):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), view.image)
    write(tmp_path, DOCUMENT)
    return tmp_path


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_each_thing_is_the_pixels_that_pycocotools_says(root: Path, frames: list[StreetView]) -> None:
    reference = COCO(str(root / "instances.json"))
    samples = open_instances(f"coco:{root},classes=car+person", "train")
    assert samples.classes == ("car", "person")
    assert not samples.partial
    name, image, things = samples[1]
    assert name == "b"
    np.testing.assert_array_equal(image, frames[1].image)
    np.testing.assert_array_equal(things.masks, [reference.annToMask(reference.anns[n]) for n in (70, 71, 72, 73)])
    assert things.labels.tolist() == [1, 0, 1, 1]
    assert things.crowd.tolist() == [False, False, False, True]
    assert things.masks.sum(axis=(1, 2)).min() > 100


def test_a_box_lies_around_each_mask(root: Path) -> None:
    boxes = open_instances(f"coco:{root}", "train")[1][2].boxes
    assert boxes.dtype == np.float32
    assert boxes[1:].tolist() == [[80, 0, 96, 8], [50, 0, 70, 64]]


def test_an_image_may_hold_nothing_that_was_asked_for(root: Path) -> None:
    for samples in (open_instances(f"coco:{root}", "train"), open_instances(f"coco:{root},classes=car", "train")):
        name, image, things = samples[0]
        assert (name, len(things), things.boxes.shape) == ("a", 0, (0, 4))
        assert things.masks.shape == (0, *image.shape[:2])


def test_what_covers_no_pixel_is_left_out_and_counted(root: Path) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["annotations"] += [
        annotation(74, 7, PERSON, SPECK),
        annotation(75, 8, PERSON, rle.encode(box(0, 0, 0, 0))),
    ]
    write(root, document)
    samples = CocoInstances(root, "train")
    assert samples.skipped == 2
    assert [len(samples[i][2]) for i in (0, 1)] == [0, 3]
    assert CocoInstances(root, "train", ["car"]).skipped == 0


def test_a_data_set_that_labels_only_some_of_the_classes_says_so(root: Path) -> None:
    samples = open_instances(f"coco:{root},classes=dog+car+person,labelled=person", "train")
    assert samples.partial
    assert (samples.classes, samples.labelled) == (("dog", "car", "person"), ("person",))
    assert samples[1][2].labels.tolist() == [2, 2, 2]
    with pytest.raises(UsageError, match="no category 'dog'"):
        open_instances(f"coco:{root},classes=dog+car+person", "train")


def first(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["annotations"][0].update(values)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (first(image_id=6), r"annotation 70: image_id 6 stands nowhere"),
        (first(category_id=2), r"annotation 70: category_id 2 stands nowhere"),
        (first(segmentation=[[1, 2, 3, 4]]), r"annotation 70: a polygon of 2 points"),
        (first(segmentation=[corners(97, 5, 120, 20)]), r"annotation 70: a polygon outside its image of 96x64"),
        (first(segmentation=[*SKEWED, corners(5, -20, 20, -1)]), r"annotation 70: a polygon outside its image"),
        (first(segmentation=[corners(0, 0, 1e9, 9)]), r"annotation 70: a polygon far outside"),
        (first(segmentation={"size": [WIDTH, HEIGHT], "counts": []}), r"annotation 70: run lengths of size \[96, 64\]"),
        (
            first(segmentation={"size": [HEIGHT, WIDTH], "counts": [9]}),
            r"annotation 70: run lengths that do not add up",
        ),
        (lambda document: document.update(images=[], annotations=[]), r"no images in it"),
        (lambda document: document.clear(), r"no list 'images'"),
    ],
)
def test_what_is_unsound_is_named_at_opening(root: Path, damage: Callable[[dict[str, Any]], None], said: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    damage(document)
    write(root, document)
    with pytest.raises(EdgesegError, match=said):
        open_instances(f"coco:{root}", "train")


def test_an_empty_file_and_a_missing_one_are_named(root: Path) -> None:
    (root / "instances.json").write_text("")
    with pytest.raises(EdgesegError, match=r"instances\.json: not JSON"):
        open_instances(f"coco:{root}", "train")
    with pytest.raises(EdgesegError, match=r"nowhere/train/instances\.json: missing"):
        open_instances(f"coco:{root}/nowhere", "train")


@pytest.mark.parametrize(
    "address",
    [
        "camvid:x",
        "coco",
        "coco:{},klasses=person",
        "coco:{},classes=",
        "coco:{},classes=persn",
        "coco:{},classes=person+person",
        "coco:{},classes=person+person,labelled=person",
        "coco:{},classes=person,labelled=car",
        "street:frames=x",
        "street:seed=1",
        "street:frames=0",
    ],
)
def test_an_address_that_names_no_instances_is_wrong_usage(root: Path, address: str) -> None:
    with pytest.raises(UsageError):
        open_instances(address.format(root), "train")


def test_the_street_gives_cars_and_people_with_exact_masks(
    monkeypatch: pytest.MonkeyPatch, frames: list[StreetView]
) -> None:
    monkeypatch.setattr(StreetSamples, "SIZES", ((WIDTH, HEIGHT),))
    monkeypatch.setattr(StreetSamples, "SPACING", 300)
    samples = open_instances("street:frames=2,seed=1", "train")
    view = frames[1]
    name, image, things = samples[1]
    assert (len(samples), name) == (2, "street-1-00300")
    np.testing.assert_array_equal(image, view.image)
    for class_id, label in ((8, "car"), (9, "pedestrian"), (10, "bicyclist")):
        masks = things.masks[things.labels == samples.classes.index(label)]
        np.testing.assert_array_equal(masks.sum(axis=0), view.labels == class_id)
    np.testing.assert_array_equal([len(np.unique(view.instances[mask])) for mask in things.masks], 1)
    assert len(things) == len(np.unique(view.instances)) - 1
    np.testing.assert_array_equal(things.crowd, things.masks.sum(axis=(1, 2)) < 12)
    assert 0 < things.crowd.sum() < len(things)
    with pytest.raises(IndexError):
        samples[2]


def test_things_in_little_memory_are_the_same_things(frames: list[StreetView]) -> None:
    ids = np.array([thing.id for thing in frames[0].objects])
    things = Instances(frames[0].instances == ids[:, None, None], np.arange(len(ids)), ids % 2 == 0)
    packed = PackedInstances(things)
    assert len(packed) == len(things) > 3
    assert packed.nbytes < things.masks.nbytes / 50
    for position, (mask, (x0, y0, x1, y1)) in enumerate(zip(things.masks, packed.boxes, strict=True)):
        unpacked = np.zeros_like(mask)
        unpacked[y0:y1, x0:x1] = packed.cutout(position)
        np.testing.assert_array_equal(unpacked, mask)
        assert packed.areas[position] == mask.sum()
    assert len(PackedInstances(Instances(things.masks[:0], things.labels[:0], things.crowd[:0]))) == 0
