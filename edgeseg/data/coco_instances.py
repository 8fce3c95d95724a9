"""COCO (Lin et al. 2014): the instances of some categories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeseg.core.errors import UsageError, did_you_mean
from edgeseg.data.coco_file import TERMS, read_pictures
from edgeseg.data.instances import Instances, InstanceSample
from edgeseg.data.palette import distinct_colours


class CocoInstances:
    """One split, in the order of the file names; the chosen categories are classes 0, 1, ... as given.

    Masks are pixel for pixel those of pycocotools, in the order of the file; a crowd of a chosen category is one.
    labelled: those of the categories that are labelled in this data set, None for all; the others need not stand in it.
    skipped: how many annotations of the chosen categories cover no pixel and are left out: COCO has such.
    Raises UsageError for categories that the data set does not have; EdgesegError, with the file and the annotation's
    id, for what is not sound.
    """

    terms = TERMS

    def __init__(
        self,
        root: Path,
        split: str,
        categories: Sequence[str] = ("person",),
        labelled: Sequence[str] | None = None,
    ) -> None:
        labelled = categories if labelled is None else labelled
        for name in labelled:
            if name not in categories:
                raise UsageError(f"{name!r} is labelled, and no class of the data; {did_you_mean(name, categories)}")
        if len(set(categories)) < len(categories):
            raise UsageError(f"{'+'.join(categories)!r}: COCO's classes are different categories")
        self.classes = tuple(categories)
        self.labelled = tuple(labelled)
        self.partial = len(labelled) < len(categories)
        self.palette = distinct_colours(len(categories))
        self._label_of = [self.classes.index(name) for name in labelled]
        pictures = read_pictures(root, split, labelled)
        self._pictures = [(picture, [thing for thing in picture.things if thing.has_pixels()]) for picture in pictures]
        self.skipped = sum(len(picture.things) - len(things) for picture, things in self._pictures)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> InstanceSample:
        picture, things = self._pictures[index]
        image = picture.read()
        masks = np.zeros((len(things), picture.height, picture.width), bool)
        for mask, thing in zip(masks, things, strict=True):
            mask[:] = thing.mask()
        labels = np.array([self._label_of[thing.category] for thing in things], np.int64)
        return picture.path.stem, image, Instances(masks, labels, np.array([thing.crowd for thing in things], bool))
