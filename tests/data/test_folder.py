"""A folder of one's own: ids as they are, and three ways to say what is for validation."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.core.errors import EdgesegError
from edgeseg.data.folder import LabelFolder
from edgeseg.synthetic import StreetView


def put(root: Path, name: str, view: StreetView, split: str = "", ending: str = ".png") -> None:
    for kind, pixels, suffix in (("images", view.image, ending), ("labels", view.labels, ".png")):
        folder = root / kind / split
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name}{suffix}"), pixels)


@pytest.fixture
def root(tmp_path: Path, frames: list[StreetView]) -> Path:
    """Three street frames, c, a and b, and no word on splits."""
    (tmp_path / "classes.txt").write_text("\n".join(STREET_CLASSES))
    for name, view in zip("cab", frames, strict=True):
        put(tmp_path, name, view)
    return tmp_path


def names(samples: LabelFolder) -> list[str]:
    return [samples[i][0] for i in range(len(samples))]


def test_images_and_labels_come_as_they_were_written(root: Path, frames: list[StreetView]) -> None:
    (root / "train.txt").write_text("a\nc\n")
    samples = LabelFolder(root, "train")
    assert samples.classes == STREET_CLASSES
    assert len(set(samples.palette)) == len(STREET_CLASSES)
    name, image, labels = samples[1]
    assert name == "c"
    assert np.array_equal(image, frames[0].image)
    assert np.array_equal(labels, frames[0].labels)


def test_255_is_ignored_and_an_id_beyond_the_list_is_named(root: Path, frames: list[StreetView]) -> None:
    (root / "train.txt").write_text("a")
    labels = frames[1].labels.copy()
    labels[5] = 255
    cv2.imwrite(str(root / "labels" / "a.png"), labels)
    assert (LabelFolder(root, "train")[0][2] == 255).sum() == 96
    labels[5] = 11
    cv2.imwrite(str(root / "labels" / "a.png"), labels)
    with pytest.raises(EdgesegError, match=r"labels/a\.png: class id 11 at x=0, y=5; .* 0 to 10, 255"):
        LabelFolder(root, "train")[0]


def test_lists_of_names_decide(root: Path) -> None:
    (root / "train.txt").write_text("c\na\n")
    (root / "val.txt").write_text("b\n")
    (root / "extra.txt").write_text("a\n")
    assert names(LabelFolder(root, "train")) == ["c", "a"]
    assert names(LabelFolder(root, "val")) == ["b"]
    assert names(LabelFolder(root, "extra")) == ["a"]


def test_folders_decide_where_there_are_no_lists(tmp_path: Path, frames: list[StreetView]) -> None:
    (tmp_path / "classes.txt").write_text("\n".join(STREET_CLASSES))
    put(tmp_path, "a", frames[0], "train")
    put(tmp_path, "b", frames[1], "val", ".jpg")
    assert names(LabelFolder(tmp_path, "train")) == ["a"]
    assert names(LabelFolder(tmp_path, "val")) == ["b"]


def test_else_a_fifth_is_for_validation_and_stays_so_when_images_are_added(
    tmp_path: Path, frames: list[StreetView]
) -> None:
    (tmp_path / "classes.txt").write_text("\n".join(STREET_CLASSES))
    splits: dict[int, tuple[set[str], set[str]]] = {}
    for count in (50, 100):
        for number in range(count):
            put(tmp_path, f"frame-{number:03d}", frames[0])
        splits[count] = set(names(LabelFolder(tmp_path, "train"))), set(names(LabelFolder(tmp_path, "val")))
    train, val = splits[100]
    assert len(train) + len(val) == 100
    assert not train & val
    assert 10 <= len(val) <= 30
    assert splits[50][0] < train
    assert splits[50][1] < val


@pytest.mark.parametrize(
    ("split", "lists", "said"),
    [
        ("train", {"train.txt": "a\nnobody\n"}, r"train\.txt: 'nobody' is no image"),
        ("train", {"train.txt": "../labels/a\n"}, r"train\.txt: '\.\./labels/a' is no image"),
        ("train", {"train.txt": "\n"}, r"no images for 'train'"),
        ("val", {"train.txt": "a\n"}, r"val\.txt: missing; write the name"),
        ("test", {}, r"no split 'test'"),
    ],
)
def test_a_split_that_is_not_there_says_what_to_write(root: Path, split: str, lists: dict[str, str], said: str) -> None:
    for name, text in lists.items():
        (root / name).write_text(text)
    with pytest.raises(EdgesegError, match=said):
        LabelFolder(root, split)


def test_an_empty_folder_names_itself(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("soil\nweed")
    with pytest.raises(EdgesegError, match=re.escape(f"{tmp_path}: no images for 'train'")):
        LabelFolder(tmp_path, "train")


def test_an_image_without_labels_is_found_at_opening(root: Path) -> None:
    (root / "train.txt").write_text("a\nb\n")
    (root / "labels" / "b.png").unlink()
    with pytest.raises(EdgesegError, match=r"labels/b\.png: missing, the labels of b\.png"):
        LabelFolder(root, "train")


def test_two_images_that_would_share_their_labels_are_refused(root: Path, frames: list[StreetView]) -> None:
    cv2.imwrite(str(root / "images" / "a.jpg"), frames[0].image)
    with pytest.raises(EdgesegError, match=r"a\.png: a\.jpg has the same labels"):
        LabelFolder(root, "train")
