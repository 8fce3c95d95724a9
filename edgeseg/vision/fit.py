"""How an image of any size becomes the network's input."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError


def stretch(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Scales both sides of an image to the network's, cutting nothing off.

    image: uint8 [H, W, 3] BGR. Returns uint8 [height, width, 3], bilinear with pixel centres at half-integers, so that
    the tail can read the logits back onto the image with one linear map. Raises UsageError for anything but an image.
    """
    check_image(image)
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def check_image(image: NDArray[np.uint8]) -> None:
    """Raises UsageError for anything but a uint8 [H, W, 3] array with a pixel in it."""
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or image.size == 0
    ):
        got = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"an image must be a numpy array, uint8 [H, W, 3] in BGR order; this one is {got}")
