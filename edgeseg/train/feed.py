"""What training steps are fed with: shuffled batches of random views, made ahead of the step."""

from __future__ import annotations

from collections import Counter
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

KEPT_BYTES = 8 << 30
"""Decoded samples that stay in memory; what is beyond is decoded anew each time."""


class Feed:
    """Batches of random views of several data sets together.

    Order and views follow from seed, epoch and sample alone: not from how many threads make them, nor from how many
    processes share them. batch, share: as in `Schedule`, with its error. repeat: how often an epoch goes through each of the
    sets, once each if empty. counts: int64 [classes], how many labelled pixels an epoch meets of each.
    """

    def __init__(
        self,
        sets: Sequence[Samples],
        view: View,
        batch: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
        repeat: Sequence[int] = (),
    ) -> None:
        times = repeat or [1] * len(sets)
        self._where = [
            (number, index)
            for number, samples in enumerate(sets)
            for _ in range(times[number])
            for index in range(len(samples))
        ]
        self._sets = sets
        self._kept: dict[tuple[int, int], Batch] = {}
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
        image, labels = self._read(self._where[index])
        return augment(image, labels, self._view, np.random.default_rng((self._seed, epoch, index)))

    def _count(self, classes: int) -> NDArray[np.int64]:
        total = np.zeros(IGNORE_ID + 1, np.int64)
        size = 0
        for where, times in Counter(self._where).items():
            image, labels = self._read(where)
            total += times * np.bincount(labels.ravel(), minlength=IGNORE_ID + 1)
            size += image.nbytes + labels.nbytes
            if size < KEPT_BYTES:
                self._kept[where] = (image, labels)
        return total[:classes]

    def _read(self, where: tuple[int, int]) -> Batch:
        if where in self._kept:
            return self._kept[where]
        number, position = where
        _, image, labels = self._sets[number][position]
        return image, labels
