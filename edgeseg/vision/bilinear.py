"""Where pixels lie between the cells of a coarser grid: bilinear, pixel centres at half-integers (align_corners=False)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=32)
def axis(cells: int, pixels: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Returns, along one axis: the first pixel of each cell, and for each pixel its cell and its weight of the next cell.

    int64 [cells + 1], int64 [pixels], float32 [pixels] in 0..1: the value at a pixel is that of its cell and that of the
    next one (the last cell is its own next), mixed by the weight.
    """
    scale = np.float32(cells) / np.float32(pixels)
    centres = np.arange(pixels, dtype=np.float32) + np.float32(0.5)
    position = np.maximum(scale * centres - np.float32(0.5), np.float32(0))
    cell = np.minimum(position.astype(np.int64), cells - 1)
    return np.searchsorted(cell, np.arange(cells + 1)), cell, (position - cell).astype(np.float32)
