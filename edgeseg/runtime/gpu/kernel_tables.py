"""What the kernels look up instead of computing it a million times: where a row or a column lies on another grid.

One table serves an axis at one frame size. It is made here, by the arithmetic that the CPU's steps use, so that there is no
second rounding of a position to agree with.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.vision.bilinear import axis

PLACE = np.dtype([("cell", np.int32), ("weight", np.float32)])
"""`Place` of kernels.cu."""

_ONE = 2048
"""A weight of 1 in OpenCV's fixed point."""


def places(cells: int, pixels: int) -> NDArray[np.void]:
    """Returns `PLACE` [pixels]: where each pixel of the frame lies among the cells of the network's output."""
    _, cell, weight = axis(cells, pixels)
    table = np.empty(pixels, dtype=PLACE)
    table["cell"], table["weight"] = cell, weight
    return table


def row_taps(source: int, target: int) -> NDArray[np.int32]:
    """Returns `Tap` of kernels.cu, int32 [target, 4], for the rows of `stretch`: two source rows and their weights."""
    first, weight = _positions(source, target)
    return _taps(np.clip(first, 0, source - 1), np.clip(first + 1, 0, source - 1), weight)


def column_taps(source: int, target: int) -> NDArray[np.int32]:
    """Returns `Tap` of kernels.cu, int32 [target, 4], for the columns of `stretch`.

    OpenCV rounds at the picture's left and right edge otherwise than at its top and bottom, by a level at times.
    """
    first, weight = _positions(source, target)
    inside = (first >= 0) & (first < source - 1)
    first = np.clip(first, 0, source - 1)
    return _taps(first, np.minimum(first + 1, source - 1), np.where(inside, weight, np.float32(0)))


def _positions(source: int, target: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    scale = 1.0 / (target / source)
    position = ((np.arange(target) + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(position)
    return first.astype(np.int32), position - first


def _taps(first: NDArray[np.int32], second: NDArray[np.int32], weight: NDArray[np.float32]) -> NDArray[np.int32]:
    of_first, of_second = (np.rint(share * np.float32(_ONE)).astype(np.int32) for share in (1 - weight, weight))
    return np.stack([first, second, of_first, of_second], axis=1)
