"""What the training steps of an instance model are fed with: shuffled batches of random views, made ahead of the step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from edgeseg.data.instances import InstanceSamples
from edgeseg.data.packed import PackedInstances
from edgeseg.train.feed import KEPT_BYTES
from edgeseg.train.instance_augment import CopyPaste, Labelled, Target, augment_instances
from edgeseg.train.recipe import View
from edgeseg.train.schedule import Schedule, made_ahead

Pixels = NDArray[np.uint8]
Batch = tuple[Pixels, list[Target]]
"""images uint8 [N, h, w, 3] BGR, and what is in each."""


class InstanceFeed:
    """Batches of random views of several data sets together, all of the same classes.

    Order and views follow from seed, epoch and sample alone: not from how many threads make them, nor from how many
    processes share them. batch, share: as in `Schedule`, with its error. mosaic: share of the views that show four images.
    counts: int64 [classes], how many judged things there are of each.
    """

    def __init__(
        self,
        sets: Sequence[InstanceSamples],
        view: View,
        batch: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
        paste: CopyPaste | None = None,
        mosaic: float = 0.0,
    ) -> None:
        self._classes = len(sets[0].classes)
        self._where = [(samples, index) for samples in sets for index in range(len(samples))]
        self._view, self._seed, self._paste, self._mosaic = view, seed, paste or CopyPaste(), mosaic
        self._schedule = Schedule(len(self._where), batch, seed, share)
        self._kept: dict[int, Labelled] = {}
        # A reader need not bear two threads at once, and the street's does not.
        self._reading = Lock()
        self.counts = self._count()

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
            yield np.stack([image for image, _ in views]), [target for _, target in views]

    def view(self, epoch: int, index: int) -> tuple[Pixels, Target]:
        """Returns the random view of one sample in an epoch: uint8 [h, w, 3] BGR, and what is in it."""
        rng = np.random.default_rng((self._seed, epoch, index))
        donor = self._donor(index, rng) if rng.random() < self._paste.share else None
        beside: list[Labelled] = []
        if self._mosaic and rng.random() < self._mosaic:
            beside = [self._read(int(other)) for other in rng.integers(len(self), size=3)]
        return augment_instances(self._read(index), self._view, rng, donor, self._paste, beside)

    def _donor(self, index: int, rng: np.random.Generator) -> Labelled | None:
        others = self._donors[self._donors != index]
        return self._read(int(rng.choice(others))) if len(others) else None

    def _count(self) -> NDArray[np.int64]:
        total = np.zeros(self._classes, np.int64)
        donors: list[int] = []
        size = 0
        for index in range(len(self._where)):
            sample = self._decoded(index)
            judged = sample.things.labels[~sample.things.crowd]
            total += np.bincount(judged, minlength=self._classes)
            if len(judged):
                donors.append(index)
            size += sample.image.nbytes + sample.things.nbytes
            if size < KEPT_BYTES:
                self._kept[index] = sample
        self._donors = np.array(donors, np.int64)
        return total

    def _read(self, index: int) -> Labelled:
        if index in self._kept:
            return self._kept[index]
        with self._reading:
            return self._decoded(index)

    def _decoded(self, index: int) -> Labelled:
        samples, position = self._where[index]
        _, image, things = samples[position]
        labelled = np.array([name in samples.labelled for name in samples.classes])
        return Labelled(image, PackedInstances(things), labelled)
