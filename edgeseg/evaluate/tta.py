"""Test-time augmentation: a frame looked at several times, and the answers averaged.

It shows what is left in a model where time does not count. The network's input has one size, so that "larger" means: in
overlapping windows, each stretched to the whole input. There is no smaller view: at 0.75, the rest filled with the
frame's reflection, it bought fast-scnn-street no mIoU on CamVid val and cost it 1.6 points of boundary F1.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

SCALES = (1.0, 1.25)

Window = tuple[int, int, int, int]
"""left, top, width, height in pixels of the frame."""


def windows(height: int, width: int, scale: float) -> list[Window]:
    """Returns the parts of a frame of that size in which the network sees it `scale` (>= 1) times as large as in whole.

    They cover the frame and overlap evenly; each lies as far from one side as its counterpart from the other.
    """
    wide, high, along = math.ceil(width / scale), math.ceil(height / scale), math.ceil(scale)
    steps = [i / (along - 1) if along > 1 else 0.0 for i in range(along)]
    return [(round(x * (width - wide)), round(y * (height - high)), wide, high) for y in steps for x in steps]


def views() -> int:
    """How often the network looks at each frame."""
    return sum(2 * math.ceil(scale) ** 2 for scale in SCALES)


def augmented(
    logits: Callable[[NDArray[np.uint8]], NDArray[np.float32]], image: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Returns the label map of a frame, uint8 [H, W], from its logits averaged over mirroring and `SCALES`.

    logits: from an image of any size, uint8 [h, w, 3] BGR, to float32 [C, rows, columns] over all of it. image: uint8
    [H, W, 3] BGR. Every scale has the same say at every pixel, however many of its windows overlap there.
    """
    return sum((_at_scale(logits, image, scale) for scale in SCALES), np.float32(0)).argmax(axis=2).astype(np.uint8)


def _at_scale(
    logits: Callable[[NDArray[np.uint8]], NDArray[np.float32]], image: NDArray[np.uint8], scale: float
) -> NDArray[np.float32]:
    """The mean of a scale's logits at every pixel, float32 [H, W, C]: bilinear, in the same convention as the tail."""
    height, width = image.shape[:2]
    looks = np.zeros((height, width, 1), dtype=np.float32)
    total = np.zeros((height, width, 1), dtype=np.float32)
    for left, top, wide, high in windows(height, width, scale):
        place = (slice(top, top + high), slice(left, left + wide))
        part = image[place]
        answer = logits(part) + logits(part[:, ::-1])[:, :, ::-1]
        if total.shape[2] != answer.shape[0]:
            total = np.zeros((height, width, answer.shape[0]), dtype=np.float32)
        total[place] += cv2.resize(answer.transpose(1, 2, 0), (wide, high), interpolation=cv2.INTER_LINEAR)
        looks[place] += 2
    return total / looks
