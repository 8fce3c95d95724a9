"""Cars, pedestrians and bicyclists of the rendered street, each with its exact mask."""

from __future__ import annotations

import numpy as np

from edgeseg.core.classes import STREET_CLASSES, STREET_PALETTE
from edgeseg.data.instances import Instances, InstanceSample
from edgeseg.data.street_samples import StreetSamples

SMALLEST = 12
"""Pixels. Of a car far down the street, or hidden but for a mirror, less may be seen: it is there, so that it is no
background, and nothing shows what it is, so that nobody can be asked to find it. It is marked as a crowd."""


class StreetInstances:
    """The frames of `StreetSamples`, with the things that move or could.

    frames: how many. seed: the first of the seeds. Raises UsageError for less than one frame.
    """

    classes: tuple[str, ...] = ("car", "pedestrian", "bicyclist")
    palette = tuple(STREET_PALETTE[STREET_CLASSES.index(name)] for name in classes)
    terms = StreetSamples.terms
    labelled: tuple[str, ...] = classes
    partial = False

    def __init__(self, frames: int, seed: int) -> None:
        self._frames = StreetSamples(frames, seed)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> InstanceSample:
        name, view = self._frames.view(index)
        masks = view.instances == np.array([thing.id for thing in view.objects], np.uint16)[:, None, None]
        labels = np.array([self.classes.index(STREET_CLASSES[thing.label]) for thing in view.objects], np.int64)
        return name, view.image, Instances(masks, labels, masks.sum(axis=(1, 2)) < SMALLEST)
