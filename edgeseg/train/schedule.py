"""In which order samples are seen, in batches that processes share, and made by threads ahead of the step."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError

AHEAD = 2
"""Batches that are made before they are asked for."""

View = TypeVar("View")


@dataclass(frozen=True)
class Schedule:
    """The order of samples in each epoch; it follows from seed and epoch alone.

    samples: how many there are. batch: images a step over all processes. share: (rank, processes), which part of each
    batch this process takes. Raises UsageError where the processes can't take equal parts of two images and more, which
    batch norm wants.
    """

    samples: int
    batch: int
    seed: int
    share: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        size, processes = self.size, self.share[1]
        if size % processes or size < 2 * processes:
            raise UsageError(
                f"a step of {size} images (--batch {self.batch}, {self.samples} labelled images) on {processes} "
                "process(es): each takes as many as the others, and 2 or more"
            )

    @property
    def size(self) -> int:
        """Images a step, over all processes."""
        return min(self.batch, self.samples)

    @property
    def steps(self) -> int:
        """Batches an epoch; the few samples that do not fill one more wait for another epoch's order."""
        return max(self.samples // self.size, 1)

    def parts(self, epoch: int) -> list[NDArray[np.int64]]:
        """Returns the samples of this process's part of each batch."""
        rank, processes = self.share
        order = np.random.default_rng((self.seed, epoch)).permutation(self.samples)
        return [order[i * self.size : (i + 1) * self.size][rank::processes] for i in range(self.steps)]


def made_ahead(parts: Sequence[NDArray[np.int64]], make: Callable[[int], View]) -> Iterator[list[View]]:
    """Returns what `make` gives for the samples of each part, in order, made by threads before it is asked for."""
    with ThreadPoolExecutor(spare_cores()) as workers:
        waiting: deque[list[Future[View]]] = deque()
        for part in parts:
            waiting.append([workers.submit(make, int(index)) for index in part])
            if len(waiting) > AHEAD:
                yield [view.result() for view in waiting.popleft()]
        while waiting:
            yield [view.result() for view in waiting.popleft()]


def spare_cores() -> int:
    """Returns how many threads make views: OpenCV releases the interpreter's lock, and the step wants its cores."""
    return max(1, min(8, (os.cpu_count() or 1) // 2))
