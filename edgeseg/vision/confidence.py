"""How sure a semantic network is, pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def confidence(logits: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Returns the probability of the likeliest class of each pixel, float32 [height, width] in 0..1.

    logits: float32 [classes, rows, columns], at the network's stride. Their softmax is upsampled bilinearly as the tail does with
    the logits, so that where two classes meet both have about a half. As the network says it: nothing was calibrated, and
    networks are mostly surer than they are right (Guo et al. 2017, arXiv:1706.04599).
    """
    weights = np.exp(logits - logits.max(axis=0))
    likeliest = np.zeros((height, width), np.float32)
    for plane in weights / weights.sum(axis=0):
        upsampled = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
        np.maximum(likeliest, upsampled, out=likeliest)
    return likeliest
