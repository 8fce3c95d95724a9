"""From camera pixels to what a network is trained on: the same module in training and inside the exported graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """uint8 [N, H, W, 3] BGR -> float32 [N, 3, H, W] RGB, less ImageNet's mean, over its deviation."""

    factor: Tensor
    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        mean = torch.tensor(IMAGENET_MEAN_RGB).flip(0).view(1, 3, 1, 1)
        std = torch.tensor(IMAGENET_STD_RGB).flip(0).view(1, 3, 1, 1)
        self.register_buffer("factor", 1 / (255 * std), persistent=False)
        self.register_buffer("offset", -mean / std, persistent=False)

    def in_bgr(self, image: Tensor) -> Tensor:
        """The same, but the channels stay in BGR order."""
        return image.float().permute(0, 3, 1, 2) * self.factor + self.offset

    def forward(self, image: Tensor) -> Tensor:
        return self.in_bgr(image).flip(1)
