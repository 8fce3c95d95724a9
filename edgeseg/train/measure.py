"""How good a network is while it is trained: over whole images, through the same stretch and tail as at runtime."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgeseg.data.classes import IGNORE_ID
from edgeseg.data.samples import Samples
from edgeseg.models.layers import SegmentationNetwork, upsample


@torch.inference_mode()
def confusion_matrix(
    network: SegmentationNetwork, normalise: nn.Module, samples: Samples, size: tuple[int, int]
) -> NDArray[np.int64]:
    """Returns int64 [classes, classes], pixels by (truth, answer), over all `samples`.

    Each image is stretched to `size` (width, height); its logits are upsampled to the image's own size and argmaxed.
    """
    classes = len(samples.classes)
    device = next(network.parameters()).device
    network.eval()
    total = np.zeros((classes, classes), np.int64)
    for index in range(len(samples)):
        _, image, labels = samples[index]
        stretched = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        logits = network(normalise(torch.from_numpy(stretched)[None].to(device)))
        answer = upsample(logits.float(), (labels.shape[0], labels.shape[1])).argmax(1)[0].cpu().numpy()
        total += count_pairs(labels, answer, classes)
    return total


def count_pairs(truth: NDArray[np.uint8], answer: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Returns int64 [classes, classes], pixels by (truth, answer), those of IGNORE_ID left out."""
    judged = truth != IGNORE_ID
    pairs = truth[judged].astype(np.int64) * classes + answer[judged]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def iou_by_class(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Returns float64 [classes]: intersection over union, NaN for a class that is neither there nor answered."""
    hits = np.diagonal(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - hits
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)
