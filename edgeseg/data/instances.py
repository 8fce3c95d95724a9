"""Images with a mask for each thing in them: what instance models learn from and are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Instances:
    """The N things of an image, N >= 0, each with a pixel or more.

    masks: bool [N, H, W]. labels: int64 [N], class ids from 0, without background.
    crowd: bool [N], true where a mask is a region that is not judged, be it many things, or one too small to ask for.
    """

    masks: NDArray[np.bool_]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """float32 [N, 4], x0 y0 x1 y1 in pixels around each mask: x1 and y1 are the first column and row beyond it."""
        return mask_boxes(self.masks)


InstanceSample = tuple[str, NDArray[np.uint8], Instances]
"""name, image uint8 [H, W, 3] BGR, its things."""


class InstanceSamples(Protocol):
    """A split of a data set, read on demand; images without a thing are among them.

    classes, palette (RGB): by id. terms: under which terms its images may be used.
    labelled: those of the classes that are labelled here. partial: whether they are not all, so that what has no mask
    may still be a thing.
    """

    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    terms: str
    labelled: tuple[str, ...]
    partial: bool

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> InstanceSample: ...


def mask_boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Returns float32 [N, 4], x0 y0 x1 y1 in pixels around each of `masks`, bool [N, H, W]; zeros for an empty one."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        if len(columns):
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes
