"""Cars, pedestrians and bicyclists of the rendered street, each with its exact mask."""

from __future__ import annotations

import numpy as np

from edgeseg.core.errors import UsageError
from edgeseg.data.classes import STREET_CLASSES, STREET_PALETTE
from edgeseg.data.instances import Instances, InstanceSample
from edgeseg.data.street import Street
from edgeseg.data.street_samples import StreetSamples

SMALLEST = 12
"""Pixels. Of a car far down the street, or hidden but for a mirror, less may be seen: it is there, so that it is no
background, and nothing shows what it is, so that nobody can be asked to find it. It is marked as a crowd."""


class StreetInstances:
    """The frames of `StreetSamples`, with the things that move or could.

    frames: how many. seed: the first of the seeds. Not for two threads at once. Raises UsageError for less than one frame.
    """

    classes: tuple[str, ...] = ("car", "pedestrian", "bicyclist")
    palette = tuple(STREET_PALETTE[STREET_CLASSES.index(name)] for name in classes)
    terms = StreetSamples.terms
    labelled: tuple[str, ...] = classes
    partial = False

    def __init__(self, frames: int, seed: int) -> None:
        if frames < 1:
            raise UsageError(f"{frames} frames of the street are none; ask for 1 or more")
        self._frames = frames
        self._first = seed
        self._drive: Street | None = None

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int) -> InstanceSample:
        if not 0 <= index < self._frames:
            raise IndexError(index)
        turn, position = divmod(index, StreetSamples.FRAMES_A_SEED)
        drive = self._drive_of(self._first + turn, StreetSamples.SIZES[turn % len(StreetSamples.SIZES)])
        view = drive.render(position * StreetSamples.SPACING)
        masks = view.instances == np.array([thing.id for thing in view.objects], np.uint16)[:, None, None]
        labels = np.array([self.classes.index(STREET_CLASSES[thing.label]) for thing in view.objects], np.int64)
        things = Instances(masks, labels, masks.sum(axis=(1, 2)) < SMALLEST)
        return f"street-{drive.seed}-{position * StreetSamples.SPACING:05d}", view.image, things

    def _drive_of(self, seed: int, size: tuple[int, int]) -> Street:
        # Building a street takes longer than rendering a frame of it.
        if self._drive is None or self._drive.seed != seed:
            self._drive = Street(seed, *size)
        return self._drive
