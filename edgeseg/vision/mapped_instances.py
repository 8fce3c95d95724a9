"""Things from a map of ids: what a renderer, or a panoptic label map, knows of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgeseg.core.cutouts import Cutouts
from edgeseg.core.masks import InstanceMasks


def mapped_instances(
    ids: NDArray[np.uint16], labels: NDArray[np.uint8], known: Sequence[str], classes: tuple[str, ...]
) -> InstanceMasks:
    """Returns the things of some classes, by rising id, with their ids and a score of 1.

    ids: uint16 [H, W], the same number at every pixel of a thing, 0 where there is none. labels: uint8 [H, W], at every
    pixel of a thing its class, a position in `known`. classes: those of the things returned, in this order.
    """
    count = int(ids.max(initial=0)) + 1
    windows, label_of = np.zeros((count, 4), np.int64), np.zeros(count, np.uint8)
    windows[:, :2] = ids.shape[1], ids.shape[0]
    _surround(np.ascontiguousarray(ids), np.ascontiguousarray(labels), windows, label_of)
    wanted = [position for position, name in enumerate(known) if name in classes]
    there = np.flatnonzero((windows[:, 2] > 0) & np.isin(label_of, wanted))
    windows = windows[there]
    pixels = [ids[y0:y1, x0:x1] == number for number, (x0, y0, x1, y1) in zip(there, windows.tolist(), strict=True)]
    return InstanceMasks(
        Cutouts(windows, pixels, *ids.shape),
        windows.astype(np.float32),
        np.ones(len(there), np.float32),
        np.array([classes.index(known[label]) for label in label_of[there]], np.uint8),
        classes,
        there,
    )


@njit(cache=True, nogil=True)
def _surround(ids, labels, windows, label_of):  # pragma: no cover (compiled)
    """Widens each thing's window, x0 y0 x1 y1, to all its pixels, and notes its label; 0 is no thing."""
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            number = ids[y, x]
            if number:
                window = windows[number]
                window[0], window[1] = min(window[0], x), min(window[1], y)
                window[2], window[3] = max(window[2], x + 1), max(window[3], y + 1)
                label_of[number] = labels[y, x]
