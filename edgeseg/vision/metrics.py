"""How right a label map is, from one confusion matrix over all pixels of all images."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError


class ConfusionMatrix:
    """Counts pixels by true and predicted class. counts: int64 [K, K], truth down, prediction across."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.counts = np.zeros((len(classes), len(classes)), dtype=np.int64)

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], ignore_id: int = 255) -> None:
        """Adds the pixels of one image: uint8 [H, W] each. Pixels whose truth is `ignore_id` are not judged.

        Raises UsageError where the sizes differ or an id is of no class; the image then counts for nothing.
        """
        if truth.shape != predicted.shape:
            raise UsageError(f"labels of {truth.shape} can't judge a mask of {predicted.shape}: give both one size")
        seen = np.zeros((256, 256), dtype=np.int64)
        if truth.size:
            _count(np.ascontiguousarray(truth), np.ascontiguousarray(predicted), seen)
        seen[ignore_id] = 0
        classes = len(self.classes)
        unknown = seen.sum() - seen[:classes, :classes].sum()
        if unknown:
            raise UsageError(f"{unknown} pixels carry an id beyond the {classes} classes: check the labels")
        self.counts += seen[:classes, :classes]

    def iou(self) -> NDArray[np.float64]:
        """Intersection over union by class, float64 [K]: TP / (TP + FP + FN); NaN for a class in neither."""
        hits = np.diag(self.counts).astype(np.float64)
        return _ratio(hits, self.counts.sum(0) + self.counts.sum(1) - hits)

    def miou(self) -> float:
        """Mean of `iou` over the classes that occur; NaN where none does."""
        iou = self.iou()
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")

    def dice(self) -> NDArray[np.float64]:
        """Dice coefficient (F1) by class, float64 [K]: 2 TP / (2 TP + FP + FN); NaN for a class in neither."""
        hits = np.diag(self.counts).astype(np.float64)
        return _ratio(2 * hits, (self.counts.sum(0) + self.counts.sum(1)).astype(np.float64))

    def pixel_accuracy(self) -> float:
        """Share of the judged pixels whose class is right; NaN where none was judged."""
        total = self.counts.sum()
        return float(np.diag(self.counts).sum() / total) if total else float("nan")


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


@njit(cache=True, nogil=True)
def _count(truth, predicted, seen):  # pragma: no cover (compiled)
    """Adds to seen [256, 256] a run of equal pixels at a time: neighbours mostly agree, and one counter is slow to hit twice."""
    for y in range(truth.shape[0]):
        true, said = truth[y], predicted[y]
        begin, last = 0, true.size - 1
        for x in range(last):
            if true[x] != true[x + 1] or said[x] != said[x + 1]:
                seen[true[x], said[x]] += x + 1 - begin
                begin = x + 1
        seen[true[last], said[last]] += last + 1 - begin
