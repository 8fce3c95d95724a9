"""How far apart two answers are, summed up over frames: of a network's outputs, and of the things that were found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.cutouts import Cutouts
from edgeseg.core.errors import EdgesegError
from edgeseg.core.masks import InstanceMasks
from edgeseg.vision.assignment import assign

SAME_THING = 0.5
"""Mask IoU from which on two engines mean the same thing."""


@dataclass
class Difference:
    """Of one output of the network, over all frames."""

    largest: float = 0.0
    count: int = 0
    _sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))

    def add(self, expected: NDArray[np.float32], actual: NDArray[np.float32]) -> None:
        off, values = np.abs(actual - expected), expected.astype(np.float64)
        self.largest = max(self.largest, float(off.max()))
        self.count += off.size
        self._sums += off.sum(dtype=np.float64), values.sum(), np.square(values).sum()

    def figures(self) -> dict[str, float]:
        mean, middle, square = self._sums / self.count
        return {"largest": self.largest, "mean": mean, "deviation": float(np.sqrt(max(square - middle**2, 0)))}


@dataclass
class Things:
    """Which things both found, over all frames."""

    reference: int = 0
    tested: int = 0
    overlaps: list[float] = field(default_factory=list)
    score_differences: list[float] = field(default_factory=list)

    def add(self, reference: InstanceMasks, tested: InstanceMasks) -> None:
        self.reference += len(reference)
        self.tested += len(tested)
        overlap = mask_iou(reference.cutouts, tested.cutouts)
        overlap[(reference.labels[:, None] != tested.labels[None]) | (overlap < SAME_THING)] = 0
        for row, column in zip(*assign(-overlap), strict=True):
            if overlap[row, column]:
                self.overlaps.append(float(overlap[row, column]))
                self.score_differences.append(float(abs(reference.scores[row] - tested.scores[column])))

    def figures(self) -> dict[str, Any]:
        if not self.reference + self.tested:
            raise EdgesegError("no engine found a thing on any frame, so that nothing was compared: give other --data")
        matched = len(self.overlaps)
        return {
            "reference": self.reference,
            "tested": self.tested,
            "matched": matched,
            "share": 2 * matched / (self.reference + self.tested),
            "mask_iou": float(np.mean(self.overlaps)) if matched else None,
            "score_difference": {
                "mean": float(np.mean(self.score_differences)) if matched else None,
                "largest": max(self.score_differences, default=None),
            },
        }


def mask_iou(ours: Cutouts, theirs: Cutouts) -> NDArray[np.float64]:
    """Returns the intersection over union of each mask with each, float64 [N, M]; 0 where both are empty."""
    shared = np.zeros((len(ours), len(theirs)))
    for row, (window, pixels) in enumerate(zip(ours.windows, ours.pixels, strict=True)):
        for column, (other, others) in enumerate(zip(theirs.windows, theirs.pixels, strict=True)):
            x0, y0 = np.maximum(window[:2], other[:2])
            x1, y1 = np.minimum(window[2:], other[2:])
            if x0 < x1 and y0 < y1:
                mine = pixels[y0 - window[1] : y1 - window[1], x0 - window[0] : x1 - window[0]]
                its = others[y0 - other[1] : y1 - other[1], x0 - other[0] : x1 - other[0]]
                shared[row, column] = np.count_nonzero(mine & its)
    union = _areas(ours)[:, None] + _areas(theirs)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _areas(masks: Cutouts) -> NDArray[np.float64]:
    return np.array([np.count_nonzero(pixels) for pixels in masks.pixels], np.float64)
