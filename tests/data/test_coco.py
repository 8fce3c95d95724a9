"""COCO's instances become label maps, pixel for pixel as pycocotools draws them, and what is unsound is named by its id."""

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
from edgeseg.data.coco import Coco
from edgeseg.data.samples import open_samples
from edgeseg.synthetic import StreetView

WIDTH, HEIGHT = 96, 64
PERSON, CAR, TIE = 1, 3, 32


def box(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def corners(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def runs(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The uncompressed run lengths of a mask, beginning with zeros."""
    flat = mask.ravel(order="F")
    bounds = [0, *(np.flatnonzero(flat[1:] != flat[:-1]) + 1).tolist(), flat.size]
    counts = np.diff(bounds).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": [0, *counts] if flat[0] else counts}


def annotation(number: int, image: int, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "iscrowd": crowd, "segmentation": segmentation}


SKEWED = [[10.2, 50.7, 30.1, 20.4, 44.9, 61.3], [60.0, 5.5, 70.5, 5.5, 71.3, 9.9, 66.6, 14.2, 58.8, 11.1]]
DOCUMENT: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "b.png", "width": WIDTH, "height": HEIGHT},
        {"id": 8, "file_name": "a.png", "width": WIDTH, "height": HEIGHT},
        {"id": 9, "file_name": "c.png", "width": WIDTH, "height": HEIGHT},
    ],
    "categories": [{"id": PERSON, "name": "person"}, {"id": CAR, "name": "car"}, {"id": TIE, "name": "tie"}],
    "annotations": [
        annotation(70, 7, PERSON, SKEWED),
        annotation(71, 7, PERSON, rle.encode(box(80, 0, 96, 8))),
        annotation(72, 7, CAR, [corners(0, 40, 40, 60)]),
        annotation(73, 7, PERSON, runs(box(50, 2, 90, 20)), crowd=1),
        annotation(74, 7, CAR, runs(box(0, 0, 4, 4)), crowd=1),
        annotation(90, 9, TIE, [corners(45, 20, 51, 30)]),
        annotation(91, 9, PERSON, [corners(40, 10, 60, 50)]),
    ],
}


def write(folder: Path, document: Any) -> None:
    (folder / "instances.json").write_text(json.dumps(document))


@pytest.fixture
def root(tmp_path: Path, frames: list[StreetView]) -> Path:
    """Three images: a without things, b with people, a crowd and cars, c with a tie on a person."""
    (tmp_path / "images").mkdir()
    for name, view in zip("abc", frames, strict=True):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), view.image)
    write(tmp_path, DOCUMENT)
    return tmp_path


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_people_are_the_pixels_that_pycocotools_says(root: Path, frames: list[StreetView]) -> None:
    reference = COCO(str(root / "instances.json"))
    person = np.any([reference.annToMask(reference.anns[number]) for number in (70, 71)], axis=0)
    samples = Coco(root, "train")
    assert samples.classes == ("background", "person")
    name, image, labels = samples[1]
    assert name == "b"
    assert np.array_equal(image, frames[1].image)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels == 1, person)
    assert 300 < person.sum() < 1500


def test_a_crowd_is_ignored_where_no_person_lies(root: Path) -> None:
    labels = Coco(root, "train")[1][2]
    crowd = box(50, 2, 90, 20)
    assert np.array_equal(labels == 255, crowd & (labels != 1))
    assert (labels[crowd] == 1).any()


def test_other_categories_and_their_crowds_are_background(root: Path) -> None:
    labels = Coco(root, "train")[1][2]
    assert (labels[:4, :4] == 0).all()
    assert labels[45, 2] == 0


def test_an_image_without_things_is_background(root: Path) -> None:
    samples = Coco(root, "train")
    assert [samples[i][0] for i in range(len(samples))] == ["a", "b", "c"]
    assert not samples[0][2].any()


def test_categories_are_numbered_as_they_were_asked_for_and_the_smaller_thing_lies_on_top(root: Path) -> None:
    samples = open_samples(f"coco:{root},classes=tie+person", "train")
    assert samples.classes == ("background", "tie", "person")
    assert len(set(samples.palette)) == 3
    labels = samples[2][2]
    assert np.array_equal(labels == 1, box(45, 20, 51, 30))
    assert np.array_equal(labels > 0, box(40, 10, 60, 50))


def test_a_split_may_have_a_folder_of_its_own(root: Path) -> None:
    (root / "val").mkdir()
    (root / "images").rename(root / "val" / "images")
    (root / "instances.json").rename(root / "val" / "instances.json")
    assert len(open_samples(f"coco:{root}", "val")) == len(open_samples(f"coco:{root / 'val'}", "val")) == 3
    with pytest.raises(EdgesegError, match=r"train/instances\.json: missing"):
        open_samples(f"coco:{root}", "train")


@pytest.mark.parametrize("categories", [["persn"], ["person", "person"], ["background"], []])
def test_categories_that_can_not_be_told_apart_are_wrong_usage(root: Path, categories: list[str]) -> None:
    with pytest.raises(UsageError):
        Coco(root, "train", categories)


def first(key: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    """Overwrites values of the first entry of a list of the document."""
    return lambda document: document[key][0].update(values)


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.pop(key)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (first("images", file_name="d.png"), r"d\.png: missing, the file of .*: image 7"),
        (first("images", file_name="../b.png"), r"image 7: its file is '\.\./b\.png'"),
        (first("images", id=8), r"image 8: .* once a number"),
        (first("images", width="96"), r"image 7: its 'width' is '96'"),
        (without("images"), r"no list 'images'"),
        (without("categories"), r"no list 'categories'"),
        (without("annotations"), r"no list 'annotations'"),
        (lambda document: document.update(images=[], annotations=[]), r"no images in it"),
        (first("annotations", image_id=6), r"annotation 70: image_id 6 stands nowhere"),
        (first("annotations", category_id=2), r"annotation 70: category_id 2 stands nowhere"),
        (first("annotations", category_id=None), r"annotation 70: its 'category_id' is None"),
        (first("annotations", segmentation=[]), r"annotation 70: neither polygon nor run lengths"),
        (first("annotations", segmentation=[[1, 2, 3, 4]]), r"annotation 70: a polygon of 2 points"),
        (first("annotations", segmentation=[[1, 2, 3, 4, 5]]), r"annotation 70: a polygon that is no list"),
        (
            first("annotations", segmentation=[[[1, 2], [3, 4], [5, 9], [3, 9]]]),
            r"annotation 70: a polygon that is no list",
        ),
        (first("annotations", segmentation=[["a"] * 6]), r"annotation 70: a polygon that is no list"),
        (first("annotations", segmentation=[corners(0, 0, 1e9, 9)]), r"annotation 70: a polygon far outside"),
        (first("annotations", segmentation=[corners(0, 0, float("nan"), 9)]), r"annotation 70: a polygon far outside"),
        (first("annotations", segmentation={"size": [WIDTH, HEIGHT], "counts": []}), r"annotation 70: run lengths of"),
    ],
)
def test_what_the_json_has_wrong_is_named_at_opening(
    root: Path, damage: Callable[[dict[str, Any]], None], said: str
) -> None:
    document = copy.deepcopy(DOCUMENT)
    damage(document)
    write(root, document)
    with pytest.raises(EdgesegError, match=said):
        Coco(root, "train")


@pytest.mark.parametrize("text", ["", "{", "[]", "nonsense", "[" * 100_000])
def test_a_file_that_is_no_coco_json_names_itself(root: Path, text: str) -> None:
    (root / "instances.json").write_text(text)
    with pytest.raises(EdgesegError, match=r"^[^\n]*instances\.json: [^\n]*$"):
        Coco(root, "train")


@pytest.mark.parametrize("counts", [[5, 5], [HEIGHT * WIDTH + 1, -1], [0.5] * 12_288, "0123"])
def test_run_lengths_that_do_not_fill_the_image_name_their_annotation(root: Path, counts: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["annotations"][3]["segmentation"]["counts"] = counts
    write(root, document)
    with pytest.raises(EdgesegError, match=r"annotation 73: "):
        Coco(root, "train")[1]


def test_an_image_of_another_size_than_its_annotations_is_named(root: Path) -> None:
    cv2.imwrite(str(root / "images" / "b.png"), np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(EdgesegError, match=r"b\.png: 48x32 pixels, and .*instances\.json: image 7 says 96x64"):
        Coco(root, "train")[1]
