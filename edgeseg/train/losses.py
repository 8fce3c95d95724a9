"""What training minimises."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.data.classes import IGNORE_ID
from edgeseg.models.layers import ConvNorm, upsample


class AuxiliaryHeads(nn.Module):
    """A small classifier on each intermediate feature, in training only; the deployed weights never hold it."""

    def __init__(self, channels: tuple[int, ...], classes: int, hidden: int = 32) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(ConvNorm(inputs, hidden, 3), nn.Conv2d(hidden, classes, 1)) for inputs in channels
        )

    def forward(self, *features: Tensor) -> list[Tensor]:
        """Returns raw logits at each feature's own size."""
        return [head(feature) for head, feature in zip(self.heads, features, strict=True)]


def pixel_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy, weighted by class, at the labels' resolution.

    logits: [N, classes, h, w]. labels: int64 [N, H, W], IGNORE_ID where nothing is judged. weights: float32 [classes].
    """
    full = upsample(logits.float(), (labels.shape[1], labels.shape[2]))
    # The sum with its own divisor: a batch in which nothing is judged costs nothing, where the built-in mean is NaN.
    total = F.cross_entropy(full, labels, weights, ignore_index=IGNORE_ID, reduction="sum")
    judged = labels != IGNORE_ID
    return total / weights[labels[judged]].sum().clamp(min=1.0)


def class_weights(counts: NDArray[np.int64], power: float) -> Tensor:
    """Returns float32 [classes]: (mean frequency / frequency) ** power, scaled to a pixel-weighted mean of 1.

    counts: labelled pixels of each class. power: 0 = all alike, 1 = every class weighs the same in sum. Powers above
    0.3 make rare classes spread beyond their outlines.
    """
    frequency = np.maximum(counts, 1) / max(int(counts.sum()), 1)
    weights = frequency**-power
    return torch.from_numpy((weights / (weights * frequency).sum()).astype(np.float32))
