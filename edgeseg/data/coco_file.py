"""COCO's instances.json (Lin et al. 2014): the things of some categories, image by image, checked.

ROOT/images/FILE      ROOT/instances.json      or the same in ROOT/<split>/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import EdgesegError, UsageError, did_you_mean
from edgeseg.data.coco_masks import check_segmentation, draw_segmentation, has_pixels
from edgeseg.data.files import read_image

INSTANCES = "instances.json"
TERMS = "COCO: annotations CC BY 4.0; images under their own licences, ids in the JSON"


@dataclass(frozen=True)
class CocoThing:
    """An annotation. where: file and id, for messages. category: position among those chosen."""

    where: str
    category: int
    crowd: bool
    segmentation: Any
    height: int
    width: int

    def has_pixels(self) -> bool:
        """Returns whether its mask has any. Raises as `mask`."""
        with _named(self.where):
            return has_pixels(self.segmentation, self.height, self.width)

    def mask(self) -> NDArray[np.bool_]:
        """Returns bool [H, W]. Raises EdgesegError, with the annotation's id, where its run lengths are damaged."""
        with _named(self.where):
            return draw_segmentation(self.segmentation, self.height, self.width)


@dataclass(frozen=True)
class CocoPicture:
    """An image and its things of the chosen categories, in the order of the file. where: its file and id."""

    path: Path
    where: str
    height: int
    width: int
    things: list[CocoThing] = field(default_factory=list)

    def read(self) -> NDArray[np.uint8]:
        """Returns uint8 [H, W, 3] BGR. Raises EdgesegError for what is no image, or one of another size."""
        image = read_image(self.path)
        if image.shape[:2] != (self.height, self.width):
            raise EdgesegError(
                f"{self.path}: {image.shape[1]}x{image.shape[0]} pixels, and {self.where} says "
                f"{self.width}x{self.height}: scale the annotations with the images"
            )
        return image


def read_pictures(root: Path, split: str, categories: Sequence[str]) -> list[CocoPicture]:
    """Returns the images of a split in the order of their file names, those without a chosen thing too.

    Raises UsageError for categories that the file does not have or that are not different; EdgesegError, with the file
    and the annotation's id, for what the JSON tells is unsound.
    """
    if not categories or len(set(categories)) < len(categories) or len(categories) >= IGNORE_ID:
        raise UsageError(f"{'+'.join(categories)!r}: COCO's classes are different categories, 1 to {IGNORE_ID - 1}")
    folder = root if (root / INSTANCES).is_file() else root / split
    return _Reader(folder / INSTANCES, categories).pictures()


class _Reader:
    def __init__(self, file: Path, categories: Sequence[str]) -> None:
        self._file, self._categories = file, list(categories)
        self._document = self._read()

    def pictures(self) -> list[CocoPicture]:
        pictures = self._listed()
        self._add_things(pictures)
        if not pictures:
            raise EdgesegError(f"{self._file}: no images in it; take another split than {self._file.parent.name!r}")
        return sorted(pictures.values(), key=lambda picture: picture.path)

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise EdgesegError(
                f"{self._file}: missing; COCO's folder holds images/ and {INSTANCES}, or a folder a split with both"
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise EdgesegError(f"{self._file}: not JSON that can be read ({error}); fetch it anew") from error
        return document if isinstance(document, dict) else {}

    def _entries(self, key: str) -> list[dict[str, Any]]:
        entries = self._document.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise EdgesegError(
                f"{self._file}: holds no list {key!r} of objects; instances in COCO's format have images, annotations "
                "and categories"
            )
        return entries

    def _listed(self) -> dict[int, CocoPicture]:
        images = self._file.parent / "images"
        pictures: dict[int, CocoPicture] = {}
        for entry in self._entries("images"):
            where = f"{self._file}: image {entry.get('id')!r}"
            number = _integer(entry, "id", where)
            name = PurePosixPath(str(entry.get("file_name")))
            if name.is_absolute() or ".." in name.parts or number in pictures:
                raise EdgesegError(f"{where}: its file is {str(name)!r}; it must lie in {images}, once a number")
            height, width = _integer(entry, "height", where), _integer(entry, "width", where)
            picture = CocoPicture(images / name, where, height, width)
            if not picture.path.is_file():
                raise EdgesegError(f"{picture.path}: missing, the file of {where}")
            pictures[number] = picture
        return pictures

    def _add_things(self, pictures: dict[int, CocoPicture]) -> None:
        names = {
            _integer(entry, "id", f"{self._file}: category {entry.get('name')!r}"): str(entry.get("name"))
            for entry in self._entries("categories")
        }
        for name in self._categories:
            if name not in names.values():
                raise UsageError(f"{self._file}: no category {name!r}; {did_you_mean(name, names.values())}")
        for entry in self._entries("annotations"):
            where = f"{self._file}: annotation {entry.get('id')!r}"
            picture = pictures.get(_integer(entry, "image_id", where))
            name = names.get(_integer(entry, "category_id", where))
            if picture is None or name is None:
                unknown = "image_id" if picture is None else "category_id"
                raise EdgesegError(f"{where}: {unknown} {entry[unknown]} stands nowhere in the file; leave it out")
            if name in self._categories:
                segmentation, size = entry.get("segmentation"), (picture.height, picture.width)
                with _named(where):
                    check_segmentation(segmentation, *size)
                category, crowd = self._categories.index(name), entry.get("iscrowd") == 1
                picture.things.append(CocoThing(where, category, crowd, segmentation, *size))


def _integer(entry: dict[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if type(value) is not int:
        raise EdgesegError(f"{where}: its {key!r} is {value!r}, not a whole number; fetch the file anew")
    return value


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Puts before an error which annotation it speaks of."""
    try:
        yield
    except EdgesegError as error:
        raise EdgesegError(f"{where}: {error}") from error
