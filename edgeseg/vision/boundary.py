"""How right a label map is along its contours, where a mask is used and where pixel scores hardly look."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError

TOLERANCE = 0.0075
"""Share of an image's diagonal that a contour may lie away (Csurka et al. 2013)."""

NONE = 255


class BoundaryF1:
    """The F1 of contours by class (Csurka et al., BMVC 2013; Perazzi et al., CVPR 2016), as exactly this:

    - Pixels whose truth is the ignore id are taken out of both maps.
    - A contour pixel of class k has class k, and one of its four neighbours inside the image has another class. Neither
      the image's border nor an ignored pixel makes a contour.
    - It is met where a contour pixel of the same class in the other map has its centre at most
      0.0075 * sqrt(height^2 + width^2) pixels away.
    - In one image, precision of k is the share of the answer's contour pixels that are met by the truth, recall the share
      of the truth's that are met by the answer, F1 = 2 P R / (P + R); it is 0 where only one of them has a contour of k,
      and the image says nothing about k where neither has.
    - The class's figure is the mean of F1 over the images that say something about it; the whole figure is the mean of
      those over the classes.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._sums = np.zeros(len(classes), dtype=np.float64)
        self._images = np.zeros(len(classes), dtype=np.int64)

    def add(self, truth: NDArray[np.uint8], predicted: NDArray[np.uint8], ignore_id: int = 255) -> None:
        """Adds one image: uint8 [H, W] each. Raises UsageError where the sizes differ."""
        if truth.shape != predicted.shape:
            raise UsageError(f"labels of {truth.shape} can't judge a mask of {predicted.shape}: give both one size")
        f1 = boundary_f1(truth, predicted, ignore_id)[: len(self.classes)]
        seen = np.isfinite(f1)
        self._sums[seen] += f1[seen]
        self._images += seen

    def by_class(self) -> NDArray[np.float64]:
        """The mean F1 of each class, float64 [K]; NaN for a class without a contour in any image."""
        return np.divide(self._sums, self._images, out=np.full(len(self.classes), np.nan), where=self._images > 0)

    def mean(self) -> float:
        """The mean of `by_class` over the classes that have one; NaN where none does."""
        return float(np.nanmean(self.by_class())) if self._images.any() else float("nan")


def boundary_f1(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], ignore_id: int = 255) -> NDArray[np.float64]:
    """Returns the F1 of the contours by class id in one image, float64 [255], as `BoundaryF1` says; NaN = no contour.

    truth, predicted: uint8 [H, W], one size.
    """
    ignored = truth == ignore_id
    true, said = (_contours(np.ascontiguousarray(labels), ignored) for labels in (truth, predicted))
    near = _disk(TOLERANCE * math.hypot(*truth.shape))
    recalled, wanted = _met(true, said, near)
    precise, claimed = _met(said, true, near)
    f1 = np.full(NONE, np.nan)
    f1[(wanted + claimed) > 0] = 0.0
    hit = (recalled > 0) & (precise > 0)
    precision, recall = precise[hit] / claimed[hit], recalled[hit] / wanted[hit]
    f1[hit] = 2 * precision * recall / (precision + recall)
    return f1


def _disk(radius: float) -> NDArray[np.int64]:
    """Offsets (dy, dx) of the pixels at most `radius` away, the nearest first, int64 [N, 2]."""
    reach = np.arange(-math.floor(radius), math.floor(radius) + 1)
    dy, dx = (axis.ravel() for axis in np.meshgrid(reach, reach, indexing="ij"))
    away = dy**2 + dx**2
    order = np.argsort(away, kind="stable")
    return np.stack([dy, dx], axis=1)[order[away[order] <= radius**2]]


@njit(cache=True, nogil=True)
def _contours(labels, ignored):  # pragma: no cover (compiled)
    """Returns uint8 [H, W]: the class of a contour pixel, NONE elsewhere."""
    height, width = labels.shape
    contours = np.full((height, width), NONE, dtype=np.uint8)
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if not ignored[y, x] and (
                (x > 0 and labels[y, x - 1] != label and not ignored[y, x - 1])
                or (x + 1 < width and labels[y, x + 1] != label and not ignored[y, x + 1])
                or (y > 0 and labels[y - 1, x] != label and not ignored[y - 1, x])
                or (y + 1 < height and labels[y + 1, x] != label and not ignored[y + 1, x])
            ):
                contours[y, x] = label
    return contours


@njit(cache=True, nogil=True)
def _met(these, those, near):  # pragma: no cover (compiled)
    """Returns by class how many pixels of `these` contours one of `those` is near, and how many there are, int64 [255] each.

    A look around each of the few contour pixels, nearest first, costs less than a distance transform for each class.
    """
    height, width = these.shape
    met = np.zeros(NONE, dtype=np.int64)
    all_of_them = np.zeros(NONE, dtype=np.int64)
    for y in range(height):
        for x in range(width):
            label = these[y, x]
            if label == NONE:
                continue
            all_of_them[label] += 1
            for i in range(near.shape[0]):
                row, column = y + near[i, 0], x + near[i, 1]
                if 0 <= row < height and 0 <= column < width and those[row, column] == label:
                    met[label] += 1
                    break
    return met, all_of_them
