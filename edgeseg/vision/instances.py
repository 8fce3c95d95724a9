"""The tail of an instance network: from boxes, scores, coefficients and prototypes to a mask for each thing.

Bolya et al., YOLACT: Real-time Instance Segmentation, 2019. A thing's mask is sigmoid(coefficients x prototypes) > 0.5, so
the sign of a linear combination. It is combined at the prototypes' size, in the part under the thing's box alone, and
read off bilinearly (align_corners=False) at the frame's pixels inside the box. Between two cells of one sign
interpolation keeps that sign, so that pixels are computed only where it changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgeseg.vision.bilinear import axis

CANDIDATES = 200
"""So many of a class, the surest, enter Fast NMS, as in the paper's code: what it costs is bounded."""
THRESHOLD = 0.3
"""What a score must exceed."""
OVERLAP = 0.5
"""The IoU with a surer box of the same class up to which a box stays."""
MOST = 100
"""Things in a frame."""


class Candidates(NamedTuple):
    """Boxes that stay, the surest first, whose masks are still to be made: `Things`, and anchors: int64 [N]."""

    anchors: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.uint8]
    windows: NDArray[np.int64]


class Things(NamedTuple):
    """What was found, the surest first.

    boxes: float32 [N, 4], x0 y0 x1 y1 in pixels, inside the frame. scores: float32 [N]. labels: uint8 [N].
    windows: int64 [N, 4], x0 y0 x1 y1, the pixels that a box touches. cutouts: N masks, bool [y1 - y0, x1 - x0], of them.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.uint8]
    windows: NDArray[np.int64]
    cutouts: list[NDArray[np.bool_]]


def decode_instances(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    height: int,
    width: int,
    *,
    threshold: float = THRESHOLD,
    overlap: float = OVERLAP,
    most: int = MOST,
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Returns masks, boxes, scores and labels of the things in a frame: `find_things`, each mask in a sheet of its own.

    The masks are bool [N, height, width]. Making them takes longer than finding what is on them.
    """
    things = find_things(
        boxes, scores, coefficients, prototypes, height, width, threshold=threshold, overlap=overlap, most=most
    )
    masks = np.zeros((len(things.cutouts), height, width), dtype=bool)
    for mask, (x0, y0, x1, y1), cutout in zip(masks, things.windows.tolist(), things.cutouts, strict=True):
        mask[y0:y1, x0:x1] = cutout
    return masks, things.boxes, things.scores, things.labels


def find_things(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    height: int,
    width: int,
    *,
    threshold: float = THRESHOLD,
    overlap: float = OVERLAP,
    most: int = MOST,
) -> Things:
    """Returns the things in a frame of height x width pixels, of which each has a pixel at least.

    boxes: float32 [A, 4], x0 y0 x1 y1 in 0..1 of the frame. scores: float32 [A, C], C <= 255. coefficients: float32 [A, K].
    prototypes: float32 [K, h, w], over the whole frame. threshold: what a score must exceed. overlap: the IoU with a surer
    box of the same class up to which a box stays. most: how many are returned. Equal scores rank by anchor, then class.
    A score that is no number never exceeds; a box that is none, or lies outside the frame, holds nothing.
    """
    candidates = choose(boxes, scores, height, width, threshold=threshold, overlap=overlap, most=most)
    return seen(candidates, assemble(coefficients[candidates.anchors], prototypes, candidates.windows, height, width))


def choose(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    height: int,
    width: int,
    *,
    threshold: float = THRESHOLD,
    overlap: float = OVERLAP,
    most: int = MOST,
) -> Candidates:
    """Returns the boxes that stay, in pixels; parameters as in `find_things`."""
    anchors, labels = fast_nms(boxes, scores, threshold, overlap, most)
    sides = np.array([width, height, width, height], dtype=np.float32)
    placed = np.clip(boxes[anchors] * sides, 0, sides)
    windows = np.concatenate([np.floor(placed[:, :2]), np.ceil(placed[:, 2:])], axis=1).astype(np.int64)
    return Candidates(anchors, placed, scores[anchors, labels], labels.astype(np.uint8), windows)


def seen(candidates: Candidates, cutouts: list[NDArray[np.bool_]]) -> Things:
    """Returns those of which there is a pixel. cutouts: of every candidate, bool [y1 - y0, x1 - x0] of its window."""
    _, boxes, scores, labels, windows = candidates
    places = [place for place, cutout in enumerate(cutouts) if cutout.any()]
    kept = [cutouts[place] for place in places]
    return Things(boxes[places], scores[places], labels[places], windows[places], kept)


def fast_nms(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], threshold: float, overlap: float, most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns anchor and class, int64 [N] each, of the boxes that stay, the surest first; parameters as in `find_things`.

    Fast NMS: a box goes where a surer one of its class overlaps it too much, even one that goes itself.
    """
    anchors, labels = np.divmod(np.flatnonzero(scores > threshold), scores.shape[1])
    corners = boxes[anchors]
    inside = (np.minimum(corners[:, 2:], 1) > np.maximum(corners[:, :2], 0)).all(axis=1)
    sound = np.flatnonzero(inside & np.isfinite(corners).all(axis=1))
    order = sound[np.argsort(-scores[anchors[sound], labels[sound]], kind="stable")]
    stays = np.zeros(len(anchors), dtype=bool)
    for label in np.unique(labels[order]):
        rivals = order[labels[order] == label][:CANDIDATES]
        stays[rivals] = _stays(corners[rivals], overlap)
    chosen = order[stays[order]][:most]
    return anchors[chosen], labels[chosen]


def assemble(
    coefficients: NDArray[np.float32],
    prototypes: NDArray[np.float32],
    windows: NDArray[np.int64],
    height: int,
    width: int,
) -> list[NDArray[np.bool_]]:
    """Returns the masks inside their windows, N of bool [y1 - y0, x1 - x0].

    coefficients: float32 [N, K]. prototypes: float32 [K, h, w]. windows: int64 [N, 4], x0 y0 x1 y1 in pixels of a frame of
    height x width.
    """
    sizes = windows[:, 2:] - windows[:, :2]
    ends = np.cumsum(sizes.prod(axis=1))
    pixels = np.zeros(int(ends[-1]) if len(ends) else 0, dtype=bool)
    _assemble(
        np.ascontiguousarray(coefficients, dtype=np.float32),
        np.ascontiguousarray(prototypes, dtype=np.float32),
        windows,
        *axis(prototypes.shape[1], height),
        *axis(prototypes.shape[2], width),
        pixels,
    )
    parts = np.split(pixels, ends[:-1]) if len(ends) else []
    return [part.reshape(rows, columns) for part, (columns, rows) in zip(parts, sizes.tolist(), strict=True)]


@njit(cache=True, nogil=True)
def _stays(boxes, overlap):  # pragma: no cover (compiled)
    count = len(boxes)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    stays = np.ones(count, dtype=np.bool_)
    for j in range(1, count):
        for i in range(j):
            wide = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
            high = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
            if wide > 0 and high > 0 and wide * high > overlap * (areas[i] + areas[j] - wide * high):
                stays[j] = False
                break
    return stays


@njit(cache=True, nogil=True)
def _assemble(  # pragma: no cover (compiled)
    coefficients,
    prototypes,
    windows,
    first_row,
    row_cell,
    row_weight,
    first_column,
    column_cell,
    column_weight,
    pixels,
):
    _, rows, columns = prototypes.shape
    values = np.empty((rows + 1, columns + 1), dtype=np.float32)
    line = np.empty(columns + 1, dtype=np.float32)
    begin = 0
    for thing in range(len(windows)):
        left, top, right, bottom = windows[thing]
        if right <= left or bottom <= top:
            continue
        size = (bottom - top) * (right - left)
        mask = pixels[begin : begin + size].reshape(bottom - top, right - left)
        begin += size
        west, east = column_cell[left], column_cell[right - 1] + 1
        north, south = row_cell[top], row_cell[bottom - 1] + 1
        _combine(coefficients[thing], prototypes, north, south, west, east, values)
        for row in range(top, bottom):
            weight = row_weight[row]
            above, below = values[row_cell[row] - north], values[row_cell[row] - north + 1]
            for x in range(east - west + 1):
                line[x] = above[x] + (below[x] - above[x]) * weight
            _fill(mask[row - top], line, left, right, west, east, first_column, column_weight)


@njit(cache=True, nogil=True)
def _combine(coefficients, prototypes, north, south, west, east, values):  # pragma: no cover (compiled)
    """Sums up the prototypes from cell north, west to cell south, east; beyond the last cell lies the last cell."""
    _, rows, columns = prototypes.shape
    count = min(east, columns - 1) - west + 1
    for y in range(north, min(south, rows - 1) + 1):
        total = values[y - north]
        total[:count] = 0
        for k in range(len(coefficients)):
            factor, source = coefficients[k], prototypes[k, y, west : west + count]
            for x in range(count):
                total[x] += factor * source[x]
        total[count : east - west + 1] = total[count - 1]
    if south == rows:
        values[south - north] = values[south - north - 1]


@njit(cache=True, nogil=True)
def _fill(mask, line, left, right, west, east, first_column, column_weight):  # pragma: no cover (compiled)
    """One row of a mask from the values at its cells, `line`, from cell `west` to cell `east`."""
    x = west
    while x < east:
        near, far = line[x - west], line[x - west + 1]
        begin = max(first_column[x], left)
        if near > 0 and far > 0:
            while x + 1 < east and line[x - west + 2] > 0:
                x += 1
            mask[begin - left : min(first_column[x + 1], right) - left] = True
        elif near > 0 or far > 0:
            for column in range(begin, min(first_column[x + 1], right)):
                mask[column - left] = near + (far - near) * column_weight[column] > 0
        x += 1
