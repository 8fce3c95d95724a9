"""Blocks that several networks are made of. Every convolution but the last is followed by batch norm."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SegmentationNetwork(nn.Module):
    """What training and export rely on in a semantic network.

    stride: input pixels a logit. feature_channels: channels of each of `features`, on which training may put a head;
    0 where the paper has none.
    `forward` takes a normalised RGB image, float [N, 3, H, W] with H and W multiples of 32, and returns
    raw logits, float [N, classes, H / stride, W / stride].
    """

    stride: int
    feature_channels: tuple[int, ...]

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """Returns the intermediate features that `classify` goes on from, in order of depth."""
        raise NotImplementedError

    def classify(self, *features: Tensor) -> Tensor:
        """Returns raw logits from what `features` gave."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        return self.classify(*self.features(image))


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes to `size` (H, W), bilinear, align_corners=False: the one convention of every network, loss and tail."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, and ReLU if `active`; padded so that stride 1 keeps the size."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        active: bool = True,
    ) -> None:
        padding = dilation * (kernel // 2)
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
        layers: list[nn.Module] = [conv, nn.BatchNorm2d(outputs)]
        if active:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class DepthwiseSeparable(nn.Sequential):
    """Depth-wise 3x3, then point-wise 1x1, with no non-linearity between the two (as Fast-SCNN omits it)."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__(
            ConvNorm(inputs, inputs, 3, stride=stride, groups=inputs, active=False),
            ConvNorm(inputs, outputs),
        )


class InvertedResidual(nn.Module):
    """MobileNetV2's bottleneck (Sandler et al. 2018): expand, depth-wise 3x3, project without non-linearity."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, expansion: int = 6) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.block = nn.Sequential(
            ConvNorm(inputs, hidden),
            ConvNorm(hidden, hidden, 3, stride=stride, groups=hidden),
            ConvNorm(hidden, outputs, active=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


class PyramidPooling(nn.Module):
    """Pyramid pooling (Zhao et al. 2017): averages over grids of `bins`, upsampled and fused with the input."""

    def __init__(self, inputs: int, outputs: int, bins: tuple[int, ...] = (1, 2, 3, 6)) -> None:
        super().__init__()
        inner = inputs // len(bins)
        self.bins = bins
        self.branches = nn.ModuleList(ConvNorm(inputs, inner) for _ in bins)
        self.fuse = ConvNorm(inputs + inner * len(bins), outputs)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        pooled = [
            upsample(branch(_averaged(x, bins)), (height, width))
            for bins, branch in zip(self.bins, self.branches, strict=True)
        ]
        return self.fuse(torch.cat([x, *pooled], dim=1))


def _averaged(x: Tensor, bins: int) -> Tensor:
    """Adaptive average pooling to `bins` x `bins`; bins overlap by a pixel where they do not divide the size."""
    height, width = x.shape[-2:]
    if height % bins == 0 and width % bins == 0:
        return F.adaptive_avg_pool2d(x, bins)
    # ONNX has no such pooling, and as two small products it is the same.
    return _bin_weights(height, bins).to(x) @ x @ _bin_weights(width, bins).to(x).T


def _bin_weights(size: int, bins: int) -> Tensor:
    """Returns float32 [bins, size]: the share of each pixel in each bin's mean."""
    # In numpy, so that the exporter meets a constant, and not the steps to it.
    weights = np.zeros((bins, int(size)), np.float32)
    for index in range(bins):
        first, last = index * int(size) // bins, -(-(index + 1) * int(size) // bins)
        weights[index, first:last] = 1 / (last - first)
    return torch.from_numpy(weights)
