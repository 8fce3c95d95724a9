"""COCO (Lin et al. 2014): instances of some categories, painted into one label map an image, over background.

ROOT/images/FILE      ROOT/instances.json      or the same in ROOT/<split>/
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import UsageError
from edgeseg.data.coco_file import TERMS, CocoPicture, read_pictures
from edgeseg.data.folds import Fold, in_split
from edgeseg.data.palette import distinct_colours
from edgeseg.data.protocol import Sample

BACKGROUND = "background"
BACKGROUND_COLOUR = (0, 0, 0)
"""Black is not painted."""


class Coco:
    """One split, in the order of the file names: "background" (0) and the chosen categories (1, 2, ... as given).

    `self[i]` is (name, image uint8 [H, W, 3] BGR, labels uint8 [H, W]). Where things of two classes overlap, the
    smaller one is seen: a tie on a person, not the person. A crowd of a chosen category is IGNORE_ID where no counted
    thing lies. Everything else is background, so that the categories chosen must be annotated in every image.
    fold: of images that lie in one folder without splits, the part to hold out; `split` then says which side is meant.
    Raises UsageError for categories that the data set does not have; EdgesegError, with the file and the annotation's
    id, for what is not sound: at opening what the JSON tells, at reading what only the pixels do.
    """

    terms = TERMS

    def __init__(
        self, root: Path, split: str, categories: Sequence[str] = ("person",), fold: Fold | None = None
    ) -> None:
        if BACKGROUND in categories:
            raise UsageError(f"{BACKGROUND!r} is what no category covers: leave it out of the classes")
        self.classes = (BACKGROUND, *categories)
        self._pictures = read_pictures(root, split, categories)
        if fold is not None:
            names = [picture.path.name for picture in self._pictures]
            things = [sum(not thing.crowd for thing in picture.things) for picture in self._pictures]
            kept = in_split(names, things, fold, split)
            self._pictures = [picture for picture, keep in zip(self._pictures, kept, strict=True) if keep]
        self.palette = (BACKGROUND_COLOUR, *distinct_colours(len(categories)))

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        picture = self._pictures[index]
        return picture.path.stem, picture.read(), _labels(picture)


def _labels(picture: CocoPicture) -> NDArray[np.uint8]:
    labels = np.zeros((picture.height, picture.width), np.uint8)
    masks = [(thing, thing.mask()) for thing in picture.things]
    for thing, mask in masks:
        if thing.crowd:
            labels[mask] = IGNORE_ID
    counted = [(int(mask.sum()), thing.category + 1, mask) for thing, mask in masks if not thing.crowd]
    for _, class_id, mask in sorted(counted, key=lambda item: -item[0]):
        labels[mask] = class_id
    return labels
