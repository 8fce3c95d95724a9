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

        Raises UsageError where the sizes differ or an id is of no class.
        """
        if truth.shape != predicted.shape:
            raise UsageError(f"labels of {truth.shape} can't judge a mask of {predicted.shape}: give both one size")
        unknown = _count(np.ascontiguousarray(truth), np.ascontiguousarray(predicted), ignore_id, self.counts)
        if unknown:
            raise UsageError(f"{unknown} pixels carry an id beyond the {len(self.classes)} classes: check the labels")

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
def _count(truth, predicted, ignore_id, counts):  # pragma: no cover (compiled)
    classes = counts.shape[0]
    unknown = 0
    for y in range(truth.shape[0]):
        for x in range(truth.shape[1]):
            true = truth[y, x]
            if true == ignore_id:
                continue
            said = predicted[y, x]
            if true < classes and said < classes:
                counts[true, said] += 1
            else:
                unknown += 1
    return unknown
