"""A COCO annotation's `segmentation` as pixels: polygons, and run lengths in both of their spellings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as pycoco

from edgeseg.core import rle
from edgeseg.core.errors import EdgesegError


def check_segmentation(segmentation: Any, height: int, width: int) -> None:
    """Makes sure of what `draw_segmentation` relies on; pycocotools is C and trusts what it is given.

    segmentation: from the JSON, a list of polygons [x, y, x, y, ...] in pixels, or {"size": [H, W], "counts": runs}.
    Raises EdgesegError.
    """
    if isinstance(segmentation, dict):
        if segmentation.get("size") != [height, width] or not isinstance(segmentation.get("counts"), list | str):
            raise EdgesegError(f"run lengths of size {segmentation.get('size')} for an image of {[height, width]}")
        return
    if not isinstance(segmentation, list) or not segmentation:
        raise EdgesegError("neither polygon nor run lengths; boxes alone make no mask, leave the image out")
    side = max(height, width)
    for polygon in segmentation:
        points = _points(polygon)
        if len(points) < 3:
            raise EdgesegError(f"a polygon of {len(points)} points, and an area has 3 or more; leave it out")
        if not (points.min() >= -side and points.max() <= 2 * side):
            raise EdgesegError(f"a polygon far outside its image of {width}x{height} pixels")
        if (points.max(axis=0) < 0).any() or (points.min(axis=0) > (width, height)).any():
            raise EdgesegError(f"a polygon outside its image of {width}x{height} pixels; leave it out")


def has_pixels(segmentation: Any, height: int, width: int) -> bool:
    """Returns whether `draw_segmentation` draws anything: COCO has polygons that pass between all pixels' centres."""
    if isinstance(segmentation, list):
        drawn: Any = pycoco.frPyObjects(segmentation, height, width)
        return bool(np.any(pycoco.area(drawn)))
    return bool(draw_segmentation(segmentation, height, width).any())


def draw_segmentation(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Returns bool [H, W], the very pixels that pycocotools' `annToMask` gives.

    segmentation: one that `check_segmentation` let pass. Raises EdgesegError for runs that do not fill the image.
    """
    if isinstance(segmentation, list):
        drawn: Any = pycoco.merge(pycoco.frPyObjects(segmentation, height, width))
        return rle.decode({"size": [height, width], "counts": drawn["counts"].decode("ascii")})
    counts = segmentation["counts"]
    if isinstance(counts, str):
        return rle.decode({"size": [height, width], "counts": counts})
    if not all(type(count) is int and count >= 0 for count in counts) or sum(counts) != height * width:
        raise EdgesegError(f"run lengths that do not add up to its {height * width} pixels: the annotation is damaged")
    # Zeros come first, then ones and zeros in turn, down the columns.
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape((height, width), order="F")


def _points(polygon: Any) -> NDArray[np.float64]:
    """Returns [N, 2]."""
    try:
        numbers = np.array(polygon, np.float64)
        if numbers.ndim == 1:
            return numbers.reshape(-1, 2)
        raise ValueError(f"{numbers.ndim} dimensions")
    except (TypeError, ValueError) as error:
        raise EdgesegError("a polygon that is no list of x, y, x, y, ... numbers") from error
