"""What training steps are fed with: shuffled batches of random views, made ahead of the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.classes import IGNORE_ID
from edgeseg.data.protocol import Samples
from edgeseg.train.augment import augment
from edgeseg.train.recipe import View
from edgeseg.train.schedule import Schedule, made_ahead

Pixels = NDArray[np.uint8]
Batch = tuple[Pixels, Pixels]
"""images uint8 [N, h, w, 3] BGR, labels uint8 [N, h / label_stride, w / label_stride]."""

KEPT_BYTES = 6 << 30
"""Decoded samples that stay in memory; what is beyond is decoded anew each time."""


class Feed:
    """Batches of random views of several data sets together.

    Order and views follow from seed, epoch and sample alone: not from how many threads make them, nor from how many
    processes share them. batch, share: as in `Schedule`, with its error. counts: int64 [classes], how many labelled pixels
    there are of each.
    """

    def __init__(
        self, sets: Sequence[Samples], view: View, batch: int, seed: int, share: tuple[int, int] = (0, 1)
    ) -> None:
        self._where = [(samples, index) for samples in sets for index in range(len(samples))]
        self._kept: dict[int, Batch] = {}
        self._view, self._seed = view, seed
        self._schedule = Schedule(len(self._where), batch, seed, share)
        self.counts = self._count(len(sets[0].classes))

    def __len__(self) -> int:
        """Returns how many samples there are."""
        return len(self._where)

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return self._schedule.steps

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Returns this process's part of each batch of an epoch."""
        for views in made_ahead(self._schedule.parts(epoch), lambda index: self.view(epoch, index)):
            yield np.stack([image for image, _ in views]), np.stack([labels for _, labels in views])

    def view(self, epoch: int, index: int) -> Batch:
        """Returns the random view of one sample in an epoch, without the batch axis."""
        image, labels = self._read(index)
        return augment(image, labels, self._view, np.random.default_rng((self._seed, epoch, index)))

    def _count(self, classes: int) -> NDArray[np.int64]:
        total = np.zeros(IGNORE_ID + 1, np.int64)
        size = 0
        for index in range(len(self._where)):
            image, labels = self._read(index)
            total += np.bincount(labels.ravel(), minlength=IGNORE_ID + 1)
            size += image.nbytes + labels.nbytes
            if size < KEPT_BYTES:
                self._kept[index] = (image, labels)
        return total[:classes]

    def _read(self, index: int) -> Batch:
        if index in self._kept:
            return self._kept[index]
        samples, position = self._where[index]
        _, image, labels = samples[position]
        return image, labels
