"""A user's own images and labels in plain folders.

ROOT/images/NAME.jpg|png|...      ROOT/labels/NAME.png      ROOT/classes.txt

What is for training and what for validation: ROOT/train.txt and ROOT/val.txt, a NAME a line, where there is either; else
images/train and images/val (with labels/train and labels/val), where there is either; else one image in five is for
validation, chosen by its name, so that it stays so when others are added.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import EdgesegError
from edgeseg.data.class_list import read_class_list
from edgeseg.data.files import id_table, images_in, read_image, read_labels, read_lines
from edgeseg.data.protocol import Sample

VAL_ONE_IN = 5
SPLITS = ("train", "val")


class LabelFolder:
    """One split, in the order of the names (of the list, where there is one). Labels are ids of classes.txt, 255 = ignored.

    Raises EdgesegError for a class list or a split that is not sound, an empty split and an image without labels at
    opening, for files that are not sound at reading.
    """

    def __init__(self, root: Path, split: str) -> None:
        self.classes, self.palette = read_class_list(root / "classes.txt")
        self.terms = f"{root.resolve().name}: a folder of one's own, under its owner's terms"
        images, self._labels = _find_split(root, split)
        self._images = images
        if not images:
            raise EdgesegError(
                f"{root}: no images for {split!r}; put images/NAME.jpg beside labels/NAME.png, or say in "
                f"{split}.txt which NAMEs to take"
            )
        for image in images:
            if not self._label_of(image).is_file():
                raise EdgesegError(
                    f"{self._label_of(image)}: missing, the labels of {image.name}; add it or take the image out"
                )
        self._table = id_table({**{i: i for i in range(len(self.classes))}, IGNORE_ID: IGNORE_ID})

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        path = self._images[index]
        image = read_image(path)
        return path.stem, image, read_labels(self._label_of(path), image, self._table)

    def _label_of(self, image: Path) -> Path:
        return self._labels / f"{image.stem}.png"


def _find_split(root: Path, split: str) -> tuple[list[Path], Path]:
    """Returns the split's images and the folder of their labels."""
    images, labels = root / "images", root / "labels"
    if any((root / f"{name}.txt").is_file() for name in SPLITS):
        return _listed(root / f"{split}.txt", _by_name(images)), labels
    if any((images / name).is_dir() for name in SPLITS):
        return list(_by_name(images / split).values()), labels / split
    if split not in SPLITS:
        raise EdgesegError(f"{root}: no split {split!r}; write its names into train.txt, val.txt and {split}.txt")
    return [path for name, path in _by_name(images).items() if _is_val(name) == (split == "val")], labels


def _by_name(folder: Path) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in images_in(folder):
        if path.stem in named:
            raise EdgesegError(f"{path}: {named[path.stem].name} has the same labels; rename one of the two")
        named[path.stem] = path
    return named


def _listed(listing: Path, named: dict[str, Path]) -> list[Path]:
    names = [name for name in read_lines(listing, "write the name of an image a line") if name]
    for name in names:
        if name not in named:
            raise EdgesegError(f"{listing}: {name!r} is no image in images/; write names without .jpg or the like")
    return [named[name] for name in names]


def _is_val(name: str) -> bool:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % VAL_ONE_IN == 0
