"""What the training steps of an instance model are fed with: shuffled batches of random views, made ahead of the step."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError
from edgeseg.data.instances import InstanceSamples
from edgeseg.data.packed import PackedInstances
from edgeseg.train.feed import AHEAD, KEPT_BYTES, _spare_cores
from edgeseg.train.instance_augment import CopyPaste, Labelled, Target, augment_instances
from edgeseg.train.recipe import View

Pixels = NDArray[np.uint8]
Batch = tuple[Pixels, list[Target]]
"""images uint8 [N, h, w, 3] BGR, and what is in each."""


class InstanceFeed:
    """Batches of random views of several data sets together, all of the same classes.

    Order and views follow from seed, epoch and sample alone: not from how many threads make them, nor from how many
    processes share them. batch: images a step over all processes. share: (rank, processes), which part of each batch
    this process takes. counts: int64 [classes], how many judged things there are of each.

    Raises UsageError where the processes can't take equal parts of two images and more, which batch norm wants.
    """

    def __init__(
        self,
        sets: Sequence[InstanceSamples],
        view: View,
        batch: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
        paste: CopyPaste | None = None,
    ) -> None:
        self._classes = len(sets[0].classes)
        self._where = [(samples, index) for samples in sets for index in range(len(samples))]
        self._view, self._seed, self._share, self._paste = view, seed, share, paste or CopyPaste()
        self._batch = min(batch, len(self._where))
        if self._batch % share[1] or self._batch < 2 * share[1]:
            raise UsageError(
                f"a step of {self._batch} images (--batch {batch}, {len(self._where)} labelled images) on {share[1]} "
                "process(es): each takes as many as the others, and 2 or more"
            )
        self._kept: dict[int, Labelled] = {}
        # A reader need not bear two threads at once, and the street's does not.
        self._reading = Lock()
        self.counts = self._count()

    def __len__(self) -> int:
        """Returns how many samples there are."""
        return len(self._where)

    @property
    def steps(self) -> int:
        """Batches an epoch; the few samples that do not fill one more wait for another epoch's order."""
        return max(len(self._where) // self._batch, 1)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Returns this process's part of each batch of an epoch."""
        rank, processes = self._share
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._where))
        parts = [order[i * self._batch : (i + 1) * self._batch][rank::processes] for i in range(self.steps)]
        with ThreadPoolExecutor(_spare_cores()) as workers:
            waiting: deque[list[Future[tuple[Pixels, Target]]]] = deque()
            for part in parts:
                waiting.append([workers.submit(self.view, epoch, int(index)) for index in part])
                if len(waiting) > AHEAD:
                    yield _stacked(waiting.popleft())
            while waiting:
                yield _stacked(waiting.popleft())

    def view(self, epoch: int, index: int) -> tuple[Pixels, Target]:
        """Returns the random view of one sample in an epoch: uint8 [h, w, 3] BGR, and what is in it."""
        rng = np.random.default_rng((self._seed, epoch, index))
        donor = self._donor(index, rng) if rng.random() < self._paste.share else None
        return augment_instances(self._read(index), self._view, rng, donor, self._paste)

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


def _stacked(views: list[Future[tuple[Pixels, Target]]]) -> Batch:
    ready = [view.result() for view in views]
    return np.stack([image for image, _ in ready]), [target for _, target in ready]
