"""How good a network is while it is trained: over whole images, through the same stretch and tail as at runtime."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import nn

from edgeseg.data.samples import Samples
from edgeseg.models.layers import SegmentationNetwork, upsample
from edgeseg.vision.metrics import ConfusionMatrix


@torch.inference_mode()
def judge(
    network: SegmentationNetwork, normalise: nn.Module, samples: Samples, size: tuple[int, int]
) -> ConfusionMatrix:
    """Returns what the network takes the pixels of all `samples` for.

    Each image is stretched to `size` (width, height); its logits are upsampled to the image's own size and argmaxed.
    """
    matrix = ConfusionMatrix(samples.classes)
    device = next(network.parameters()).device
    network.eval()
    for index in range(len(samples)):
        _, image, labels = samples[index]
        stretched = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        logits = network(normalise(torch.from_numpy(stretched)[None].to(device)))
        answer = upsample(logits.float(), (labels.shape[0], labels.shape[1])).argmax(1)[0]
        matrix.add(labels, answer.cpu().numpy().astype(np.uint8))
    return matrix
