"""Masks of things, each kept only where it may be true: 50 of 1280x720 are 46 MB in whole and about 1 MB cut out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Cutouts:
    """N masks of height x width of which each is false outside its window.

    windows: int64 [N, 4], x0 y0 x1 y1 in pixels, inside the frame. pixels: bool [y1 - y0, x1 - x0] of each.
    """

    def __init__(
        self, windows: NDArray[np.int64], pixels: Sequence[NDArray[np.bool_]], height: int, width: int
    ) -> None:
        self.windows, self.pixels = windows, tuple(pixels)
        self.height, self.width = height, width

    @classmethod
    def of(cls, masks: NDArray[np.bool_]) -> Cutouts:
        """Cuts whole masks, bool [N, H, W], out at what is true in them."""
        count, height, width = masks.shape
        windows = np.zeros((count, 4), dtype=np.int64)
        for window, mask in zip(windows, masks, strict=True):
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            if len(rows):
                window[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        pixels = [mask[y0:y1, x0:x1] for mask, (x0, y0, x1, y1) in zip(masks, windows, strict=True)]
        return cls(windows, pixels, height, width)

    def __len__(self) -> int:
        return len(self.pixels)

    def chosen(self, which: NDArray[np.integer] | NDArray[np.bool_]) -> Cutouts:
        """Returns some of the masks: by bool [N] or by their positions."""
        places = np.arange(len(self))[which]
        return Cutouts(self.windows[places], [self.pixels[place] for place in places], self.height, self.width)

    def whole(self) -> NDArray[np.bool_]:
        """Returns the masks in whole, bool [N, height, width]."""
        masks = np.zeros((len(self), self.height, self.width), dtype=bool)
        for mask, (x0, y0, x1, y1), pixels in zip(masks, self.windows, self.pixels, strict=True):
            mask[y0:y1, x0:x1] = pixels
        return masks

    def areas(self) -> NDArray[np.int64]:
        """Returns how many pixels of each mask are true, int64 [N]."""
        return np.array([np.count_nonzero(pixels) for pixels in self.pixels], np.int64)

    def shared(self, other: Cutouts) -> NDArray[np.int64]:
        """Returns how many pixels are true in a mask and in one of `other`'s, of the same height and width: int64 [N, M]."""
        counts = np.zeros((len(self), len(other)), np.int64)
        begin = np.maximum(self.windows[:, None, :2], other.windows[None, :, :2])
        end = np.minimum(self.windows[:, None, 2:], other.windows[None, :, 2:])
        for n, m in np.argwhere((begin < end).all(axis=2)):
            (left, top), (right, bottom) = begin[n, m], end[n, m]
            ours, theirs = (
                cut.pixels[k][top - y0 : bottom - y0, left - x0 : right - x0]
                for cut, k, (x0, y0) in ((self, n, self.windows[n, :2]), (other, m, other.windows[m, :2]))
            )
            counts[n, m] = np.count_nonzero(ours & theirs)
        return counts

    def any(self) -> NDArray[np.bool_]:
        """Returns where at least one mask is true, bool [height, width]."""
        union = np.zeros((self.height, self.width), dtype=bool)
        for (x0, y0, x1, y1), pixels in zip(self.windows, self.pixels, strict=True):
            union[y0:y1, x0:x1] |= pixels
        return union
