"""Colours for classes that bring none: each as far as can be from all before it, to the eye."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
LEVELS = (0, 36, 73, 109, 146, 182, 219, 255)
DARKEST, LIGHTEST = 40, 85
"""Bounds of CIE lightness (0..100): nearer to black or white a tint says little on a picture."""


def distinct_colours(count: int, taken: Sequence[Colour] = ()) -> tuple[Colour, ...]:
    """Returns `count` RGB colours, the same ones every time, apart from each other and from those `taken`.

    Each is the candidate whose distance in CIE Lab to the nearest one before it is largest.
    """
    grid = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.uint8)
    lab = _lab(grid)
    usable = (lab[:, 0] >= DARKEST) & (lab[:, 0] <= LIGHTEST)
    grid, lab = grid[usable], lab[usable]
    # Grey is the one to stay away from first: it is what a tint must be told from on a street.
    before = _lab(np.array([(128, 128, 128), *taken], np.uint8))
    nearest = np.linalg.norm(lab[:, None] - before, axis=2).min(axis=1)
    colours: list[Colour] = []
    for _ in range(count):
        best = int(nearest.argmax())
        colours.append((int(grid[best, 0]), int(grid[best, 1]), int(grid[best, 2])))
        nearest = np.minimum(nearest, np.linalg.norm(lab - lab[best], axis=1))
    return tuple(colours)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.cvtColor(rgb[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
