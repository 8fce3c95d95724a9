"""What training steps are fed with: shuffled batches of random views, made ahead of the step."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError
from edgeseg.data.classes import IGNORE_ID
from edgeseg.data.protocol import Samples
from edgeseg.train.augment import augment
from edgeseg.train.recipe import View

Pixels = NDArray[np.uint8]
Batch = tuple[Pixels, Pixels]
"""images uint8 [N, h, w, 3] BGR, labels uint8 [N, h / label_stride, w / label_stride]."""

KEPT_BYTES = 6 << 30
"""Decoded samples that stay in memory; what is beyond is decoded anew each time."""
AHEAD = 2
"""Batches that are made before they are asked for."""


class Feed:
    """Batches of random views of several data sets together.

    Order and views follow from seed, epoch and sample alone: not from how many threads make them, nor from how many
    processes share them. batch: images a step over all processes. share: (rank, processes), which part of each batch
    this process takes. counts: int64 [classes], how many labelled pixels there are of each.

    Raises UsageError where the processes can't take equal parts of two images and more, which batch norm wants.
    """

    def __init__(
        self, sets: Sequence[Samples], view: View, batch: int, seed: int, share: tuple[int, int] = (0, 1)
    ) -> None:
        self._sets = sets
        self._where = [(samples, index) for samples in sets for index in range(len(samples))]
        self._kept: dict[int, Batch] = {}
        self._view, self._seed, self._share = view, seed, share
        self._batch = min(batch, len(self._where))
        if self._batch % share[1] or self._batch < 2 * share[1]:
            raise UsageError(
                f"a step of {self._batch} images (--batch {batch}, {len(self._where)} labelled images) on {share[1]} "
                "process(es): each takes as many as the others, and 2 or more"
            )
        self.counts = self._count(len(sets[0].classes))

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
            waiting: deque[list[Future[Batch]]] = deque()
            for part in parts:
                waiting.append([workers.submit(self.view, epoch, int(index)) for index in part])
                if len(waiting) > AHEAD:
                    yield _stacked(waiting.popleft())
            while waiting:
                yield _stacked(waiting.popleft())

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


def _stacked(views: list[Future[Batch]]) -> Batch:
    ready = [view.result() for view in views]
    return np.stack([image for image, _ in ready]), np.stack([labels for _, labels in ready])


def _spare_cores() -> int:
    """Returns how many threads make views: OpenCV releases the interpreter's lock, and the step wants its cores."""
    return max(1, min(8, (os.cpu_count() or 1) // 2))
