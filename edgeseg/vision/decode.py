"""The tail of a semantic network: from logits at its own stride to a label for every pixel of the frame.

The label map is exactly argmax(bilinear upsample of the logits), in the convention align_corners=False (pixel centres at
half-integers, torch's default, OpenCV's too), without ever making the upsampled logits. Bilinear interpolation inside a
cell is a convex combination of its four corners, so:

- where all four corners have the same winner, so has every pixel of the cell;
- elsewhere a class can lead only where no corner's winner is at least as high at all four corners, which leaves two
  classes in most cells, and then one linear function whose sign decides.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgeseg.vision.bilinear import axis


def decode(logits: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """Returns the label map of a frame: argmax over classes of the bilinearly upsampled logits (align_corners=False).

    logits: float32 [C, h, w], C <= 255. Returns uint8 [height, width]. Equal values at a pixel may go to either class.
    """
    _, rows, columns = logits.shape
    first_row, _, row_weight = axis(rows, height)
    first_column, _, column_weight = axis(columns, width)
    labels = np.empty((height, width), dtype=np.uint8)
    corners = np.ascontiguousarray(logits.transpose(1, 2, 0), dtype=np.float32)
    _decode(corners, first_row, row_weight, first_column, column_weight, labels)
    return labels


@njit(cache=True, nogil=True, fastmath={"contract"})
def _decode(corners, first_row, row_weight, first_column, column_weight, labels):  # pragma: no cover (compiled)
    # One long function on purpose: split into compiled parts it took twice the time.
    rows, columns, classes = corners.shape
    winner = np.empty((rows, columns), dtype=np.uint8)
    for y in range(rows):
        for x in range(columns):
            best = 0
            for c in range(1, classes):
                if corners[y, x, c] > corners[y, x, best]:
                    best = c
            winner[y, x] = best
    rivals = np.empty(classes, dtype=np.int64)
    left = np.empty(classes, dtype=np.float32)
    right = np.empty(classes, dtype=np.float32)
    for y in range(rows):
        below = min(y + 1, rows - 1)
        top, bottom = first_row[y], first_row[y + 1]
        x = 0
        while x < columns:
            beside = min(x + 1, columns - 1)
            label = winner[y, x]
            if label == winner[y, beside] and label == winner[below, x] and label == winner[below, beside]:
                run = x + 1
                while (
                    run < columns
                    and winner[y, min(run + 1, columns - 1)] == label
                    and winner[below, min(run + 1, columns - 1)] == label
                ):
                    run += 1
                for row in range(top, bottom):
                    labels[row, first_column[x] : first_column[run]] = label
                x = run
                continue
            count = _rivals(corners, winner, y, x, below, beside, rivals)
            begin, end = first_column[x], first_column[x + 1]
            for row in range(top, bottom):
                weight = row_weight[row]
                for k in range(count):
                    c = rivals[k]
                    left[k] = (1 - weight) * corners[y, x, c] + weight * corners[below, x, c]
                    right[k] = (1 - weight) * corners[y, beside, c] + weight * corners[below, beside, c]
                if count == 2:
                    near, far = left[0] - left[1], right[0] - right[1]
                    first, second = np.uint8(rivals[0]), np.uint8(rivals[1])
                    for column in range(begin, end):
                        lead = near + (far - near) * column_weight[column]
                        labels[row, column] = first if lead >= 0 else second
                else:
                    for column in range(begin, end):
                        weight_x = column_weight[column]
                        best = 0
                        highest = left[0] + (right[0] - left[0]) * weight_x
                        for k in range(1, count):
                            value = left[k] + (right[k] - left[k]) * weight_x
                            if value > highest:
                                highest = value
                                best = k
                        labels[row, column] = rivals[best]
            x += 1


@njit(cache=True, nogil=True)
def _rivals(corners, winner, y, x, below, beside, rivals):  # pragma: no cover (compiled)
    """Fills `rivals` with the classes that may lead somewhere in a cell, ascending, and returns how many there are."""
    count = 0
    winners = (winner[y, x], winner[y, beside], winner[below, x], winner[below, beside])
    for c in range(corners.shape[2]):
        leads = False
        beaten = False
        for w in winners:
            if w == c:
                leads = True
            elif (
                corners[y, x, w] >= corners[y, x, c]
                and corners[y, beside, w] >= corners[y, beside, c]
                and corners[below, x, w] >= corners[below, x, c]
                and corners[below, beside, w] >= corners[below, beside, c]
            ):
                beaten = True
        if leads or not beaten:
            rivals[count] = c
            count += 1
    return count
