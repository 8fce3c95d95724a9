"""COCO (Lin et al. 2014): instances of some categories, painted into one label map an image, over background.

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

from edgeseg.core.errors import EdgesegError, UsageError, did_you_mean
from edgeseg.data.classes import IGNORE_ID
from edgeseg.data.coco_masks import check_segmentation, draw_segmentation
from edgeseg.data.files import read_image
from edgeseg.data.palette import distinct_colours
from edgeseg.data.protocol import Sample

BACKGROUND = "background"
BACKGROUND_COLOUR = (58, 64, 76)
INSTANCES = "instances.json"


@dataclass(frozen=True)
class _Thing:
    """An annotation of a chosen category. where: file and id, for messages. segmentation: as in the JSON, checked."""

    where: str
    class_id: int
    crowd: bool
    segmentation: Any


@dataclass(frozen=True)
class _Picture:
    path: Path
    where: str
    height: int
    width: int
    things: list[_Thing] = field(default_factory=list)


class Coco:
    """One split, in the order of the file names: "background" (0) and the chosen categories (1, 2, ... as given).

    `self[i]` is (name, image uint8 [H, W, 3] BGR, labels uint8 [H, W]). Where things of two classes overlap, the
    smaller one is seen: a tie on a person, not the person. A crowd of a chosen category is IGNORE_ID where no counted
    thing lies. Everything else is background, so that the categories chosen must be annotated in every image.
    Raises UsageError for categories that the data set does not have; EdgesegError, with the file and the annotation's
    id, for what is not sound: at opening what the JSON tells, at reading what only the pixels do.
    """

    terms = "COCO: annotations CC BY 4.0; images under their own licences, ids in the JSON"

    def __init__(self, root: Path, split: str, categories: Sequence[str] = ("person",)) -> None:
        folder = root if (root / INSTANCES).is_file() else root / split
        self._file = folder / INSTANCES
        self.classes = (BACKGROUND, *categories)
        if not categories or len(set(self.classes)) < len(self.classes) or len(self.classes) > IGNORE_ID:
            raise UsageError(f"{'+'.join(categories)!r}: COCO's classes are different categories, 1 to {IGNORE_ID - 1}")
        self.palette = (BACKGROUND_COLOUR, *distinct_colours(len(categories), [BACKGROUND_COLOUR]))
        document = self._document()
        pictures = self._pictures(document, folder / "images")
        self._add_things(document, pictures)
        if not pictures:
            raise EdgesegError(f"{self._file}: no images in it; take another split than {split!r}")
        self._pictures_by_name = sorted(pictures.values(), key=lambda picture: picture.path)

    def __len__(self) -> int:
        return len(self._pictures_by_name)

    def __getitem__(self, index: int) -> Sample:
        picture = self._pictures_by_name[index]
        image = read_image(picture.path)
        if image.shape[:2] != (picture.height, picture.width):
            raise EdgesegError(
                f"{picture.path}: {image.shape[1]}x{image.shape[0]} pixels, and {picture.where} says "
                f"{picture.width}x{picture.height}: scale the annotations with the images"
            )
        return picture.path.stem, image, _labels(picture)

    def _document(self) -> dict[str, Any]:
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise EdgesegError(
                f"{self._file}: missing; COCO's folder holds images/ and {INSTANCES}, or a folder a split with both"
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise EdgesegError(f"{self._file}: not JSON that can be read ({error}); fetch it anew") from error
        return document if isinstance(document, dict) else {}

    def _entries(self, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
        entries = document.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise EdgesegError(
                f"{self._file}: holds no list {key!r} of objects; instances in COCO's format have images, annotations "
                "and categories"
            )
        return entries

    def _pictures(self, document: dict[str, Any], images: Path) -> dict[int, _Picture]:
        pictures: dict[int, _Picture] = {}
        for entry in self._entries(document, "images"):
            where = f"{self._file}: image {entry.get('id')!r}"
            number = _integer(entry, "id", where)
            name = PurePosixPath(str(entry.get("file_name")))
            if name.is_absolute() or ".." in name.parts or number in pictures:
                raise EdgesegError(f"{where}: its file is {str(name)!r}; it must lie in {images}, once a number")
            picture = _Picture(images / name, where, _integer(entry, "height", where), _integer(entry, "width", where))
            if not picture.path.is_file():
                raise EdgesegError(f"{picture.path}: missing, the file of {where}")
            pictures[number] = picture
        return pictures

    def _add_things(self, document: dict[str, Any], pictures: dict[int, _Picture]) -> None:
        names = {
            _integer(entry, "id", f"{self._file}: category {entry.get('name')!r}"): str(entry.get("name"))
            for entry in self._entries(document, "categories")
        }
        for name in self.classes[1:]:
            if name not in names.values():
                raise UsageError(f"{self._file}: no category {name!r}; {did_you_mean(name, names.values())}")
        for entry in self._entries(document, "annotations"):
            where = f"{self._file}: annotation {entry.get('id')!r}"
            picture = pictures.get(_integer(entry, "image_id", where))
            name = names.get(_integer(entry, "category_id", where))
            if picture is None or name is None:
                unknown = "image_id" if picture is None else "category_id"
                raise EdgesegError(f"{where}: {unknown} {entry[unknown]} stands nowhere in the file; leave it out")
            if name in self.classes[1:]:
                segmentation = entry.get("segmentation")
                with _named(where):
                    check_segmentation(segmentation, picture.height, picture.width)
                class_id = self.classes.index(name)
                picture.things.append(_Thing(where, class_id, entry.get("iscrowd") == 1, segmentation))


def _integer(entry: dict[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if type(value) is not int:
        raise EdgesegError(f"{where}: its {key!r} is {value!r}, not a whole number; fetch the file anew")
    return value


def _labels(picture: _Picture) -> NDArray[np.uint8]:
    labels = np.zeros((picture.height, picture.width), np.uint8)
    masks = [(thing, _mask(thing, picture)) for thing in picture.things]
    for thing, mask in masks:
        if thing.crowd:
            labels[mask] = IGNORE_ID
    counted = [(int(mask.sum()), thing.class_id, mask) for thing, mask in masks if not thing.crowd]
    for _, class_id, mask in sorted(counted, key=lambda item: -item[0]):
        labels[mask] = class_id
    return labels


def _mask(thing: _Thing, picture: _Picture) -> NDArray[np.bool_]:
    with _named(thing.where):
        return draw_segmentation(thing.segmentation, picture.height, picture.width)


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Puts before an error which annotation it speaks of."""
    try:
        yield
    except EdgesegError as error:
        raise EdgesegError(f"{where}: {error}") from error
