"""The things of an image in little memory: of each mask a bit a pixel, of its box alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgeseg.data.instances import Instances


class PackedInstances:
    """N things of an image of `height` x `width` pixels.

    boxes: int64 [N, 4], x0 y0 x1 y1 in pixels around each mask. labels: int64 [N]. crowd: bool [N]. areas: int64 [N],
    pixels of each mask. nbytes: what the masks take.
    """

    def __init__(self, things: Instances) -> None:
        _, self.height, self.width = things.masks.shape
        self.labels, self.crowd = things.labels, things.crowd
        self.boxes = things.boxes.astype(np.int64)
        cutouts = [mask[y0:y1, x0:x1] for mask, (x0, y0, x1, y1) in zip(things.masks, self.boxes, strict=True)]
        self.areas = np.array([np.count_nonzero(cutout) for cutout in cutouts], np.int64)
        self._bits = [np.packbits(cutout) for cutout in cutouts]
        self.nbytes = sum(bits.nbytes for bits in self._bits)

    def __len__(self) -> int:
        return len(self._bits)

    def cutout(self, position: int) -> NDArray[np.uint8]:
        """Returns the mask of one thing inside its box, uint8 [y1 - y0, x1 - x0], 0 or 1."""
        x0, y0, x1, y1 = self.boxes[position]
        return np.unpackbits(self._bits[position], count=(y1 - y0) * (x1 - x0)).reshape(y1 - y0, x1 - x0)
