"""Cityscapes' folders and ids become the 19 classes of its benchmark."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.core.errors import EdgesegError
from edgeseg.data.cityscapes import Cityscapes
from edgeseg.synthetic import StreetView

NAMES = ("aachen_000000_000019", "bonn_000001_000019")
FULL_ID_OF = np.array([23, 11, 17, 7, 8, 21, 20, 13, 26, 24, 25], np.uint8)
"""Cityscapes' id of each street class."""
TRAIN_ID_OF = np.array([10, 2, 5, 0, 1, 8, 7, 4, 13, 11, 12], np.uint8)


def labels_file(root: Path, name: str, kind: str = "labelIds") -> Path:
    return root / "gtFine" / "val" / name.split("_")[0] / f"{name}_gtFine_{kind}.png"


@pytest.fixture
def root(tmp_path: Path, frames: list[StreetView]) -> Path:
    """Two street frames in two cities, the first row of the second one the ego vehicle (1)."""
    for name, view in zip(NAMES, frames, strict=False):
        image = tmp_path / "leftImg8bit" / "val" / name.split("_")[0] / f"{name}_leftImg8bit.png"
        labels = FULL_ID_OF[view.labels]
        if name == NAMES[1]:
            labels[0] = 1
        for path, pixels in ((image, view.image), (labels_file(tmp_path, name), labels)):
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
    return tmp_path


def test_ids_become_train_ids(root: Path, frames: list[StreetView]) -> None:
    samples = Cityscapes(root, "val")
    assert len(samples.classes) == len(samples.palette) == 19
    assert samples.classes[13] == "car"
    assert samples.palette[13] == (0, 0, 142)
    assert [samples[i][0] for i in range(len(samples))] == list(NAMES)
    _, image, labels = samples[0]
    assert np.array_equal(image, frames[0].image)
    assert np.array_equal(labels, TRAIN_ID_OF[frames[0].labels])


def test_what_the_benchmark_does_not_judge_is_ignored(root: Path, frames: list[StreetView]) -> None:
    labels = Cityscapes(root, "val")[1][2]
    assert (labels[0] == 255).all()
    assert np.array_equal(labels[1:], TRAIN_ID_OF[frames[1].labels[1:]])


def test_train_ids_serve_where_the_full_ids_are_missing(root: Path, frames: list[StreetView]) -> None:
    labels_file(root, NAMES[0]).unlink()
    train_ids = TRAIN_ID_OF[frames[0].labels]
    train_ids[0] = 255
    cv2.imwrite(str(labels_file(root, NAMES[0], "labelTrainIds")), train_ids)
    assert np.array_equal(Cityscapes(root, "val")[0][2], train_ids)


def test_an_id_that_cityscapes_does_not_have_is_named(root: Path) -> None:
    cv2.imwrite(str(labels_file(root, NAMES[0])), np.full((64, 96), 34, np.uint8))
    with pytest.raises(EdgesegError, match=rf"{NAMES[0]}_gtFine_labelIds\.png: class id 34 at .* 0 to 33, 255"):
        Cityscapes(root, "val")[0]


def test_labels_of_another_size_are_named(root: Path) -> None:
    cv2.imwrite(str(labels_file(root, NAMES[0])), np.full((32, 48), 7, np.uint8))
    with pytest.raises(EdgesegError, match=rf"{NAMES[0]}_gtFine_labelIds\.png: labels of 48x32 for an image of 96x64"):
        Cityscapes(root, "val")[0]


def test_an_image_without_labels_and_an_empty_split_are_found_at_opening(root: Path) -> None:
    with pytest.raises(EdgesegError, match=r"leftImg8bit/train: no CITY"):
        Cityscapes(root, "train")
    labels_file(root, NAMES[1]).unlink()
    with pytest.raises(EdgesegError, match=rf"{NAMES[1]}_gtFine_labelIds\.png: missing"):
        Cityscapes(root, "val")
