"""BiSeNet V2: Bilateral Network with Guided Aggregation (Yu et al.; IJCV 2021, arXiv:2004.02147).

Layer for layer the paper's table 1, with its width alpha = 1/4 and expansion 6:

    detail branch     Conv 64 /2, 64;  Conv 64 /2, 64, 64;  Conv 128 /2, 128, 128                  -> 1/8
    semantic branch   stem 16 /4;  GE 32 /2, 32;  GE 64 /2, 64;  GE 128 /2, 3 x 128;  CE 128      -> 1/32
    aggregation       each branch gates the other, summed, Conv 128                                  1/8
    head              Conv 1024, dropout, Conv 1x1                                                -> 1/8

GE: gather-and-expansion layer. CE: context embedding. ReLU follows the last depth-wise convolution of a GE, the last one of
CE and that of the aggregation too, where the paper's figures draw none and its published re-implementations have it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.models.layers import ConvNorm, SegmentationNetwork, upsample


class BiSeNetV2(SegmentationNetwork):
    """3.33 M convolution weights (3,341,280 for 19 classes; batch norm adds 17,072 until it is folded), no boosters among them.

    10.35 G multiply-accumulates at 576x384 and 11 classes, 24.60 G at 1024x512 and 19. The paper says 21.15 there, but not what
    it counts: its detail branch (11.70) and a head of 1024 (9.82) exceed that by themselves.
    classes: how many logits a pixel. dropout: before the last convolution, in training only.

    `features` are the detail branch's, then those on which the paper puts its boosters: the stem's and each
    stage's of the semantic branch, the last before the context embedding. The first come along because `classify` goes
    on from them, and have no head.
    """

    stride = 8
    feature_channels = (0, 16, 32, 64, 128)

    def __init__(self, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.detail = nn.Sequential(
            *_convolutions(3, 64, 2),
            *_convolutions(64, 64, 3),
            *_convolutions(64, 128, 3),
        )
        self.stem = Stem(16)
        self.stages = nn.ModuleList([_stage(16, 32, 2), _stage(32, 64, 2), _stage(64, 128, 4)])
        self.embed = ContextEmbedding(128)
        self.aggregate = GuidedAggregation(128)
        self.classifier = nn.Sequential(
            ConvNorm(128, 1024, 3),
            nn.Dropout(dropout),
            nn.Conv2d(1024, classes, 1),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        semantic = [self.stem(image)]
        for stage in self.stages:
            semantic.append(stage(semantic[-1]))
        return self.detail(image), *semantic

    def classify(self, *features: Tensor) -> Tensor:
        detail, *_, semantic = features
        return self.classifier(self.aggregate(detail, self.embed(semantic)))


class Stem(nn.Module):
    """Quarters the image twice over, by convolution and by pooling, and fuses the two (figure 4a)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.enter = ConvNorm(3, outputs, 3, stride=2)
        self.convolve = nn.Sequential(ConvNorm(outputs, outputs // 2), ConvNorm(outputs // 2, outputs, 3, stride=2))
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.fuse = ConvNorm(2 * outputs, outputs, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.enter(image)
        return self.fuse(torch.cat([self.convolve(x), self.pool(x)], dim=1))


class GatherExpansion(nn.Module):
    """Gather by a 3x3 convolution, expand depth-wise, project; with stride 2, depth-wise twice (figure 5).

    The shortcut is the input, or with stride 2 a separable convolution of it.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, expansion: int = 6) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers = [ConvNorm(inputs, inputs, 3)]
        if stride == 1:
            layers.append(ConvNorm(inputs, hidden, 3, groups=inputs))
            self.shortcut = nn.Identity()
        else:
            layers.append(ConvNorm(inputs, hidden, 3, stride=stride, groups=inputs, active=False))
            layers.append(ConvNorm(hidden, hidden, 3, groups=hidden))
            self.shortcut = nn.Sequential(
                ConvNorm(inputs, inputs, 3, stride=stride, groups=inputs, active=False),
                ConvNorm(inputs, outputs, active=False),
            )
        self.block = nn.Sequential(*layers, ConvNorm(hidden, outputs, active=False))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.block(x) + self.shortcut(x))


class ContextEmbedding(nn.Module):
    """Adds the mean of the whole picture, through a convolution, to each pixel (figure 4b)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # The convolution and the norm that follow have scale and shift.
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.context = ConvNorm(channels, channels)
        self.fuse = ConvNorm(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fuse(x + self.context(self.norm(x.mean((2, 3), keepdim=True))))


class GuidedAggregation(nn.Module):
    """Bilateral guided aggregation: each branch is gated by the other, at both sizes, and the two are added (figure 6).

    Takes the detail branch at 1/8 and the semantic one at 1/32, both of `channels`; returns `channels` at 1/8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.detail_fine = _separable(channels)
        self.detail_coarse = nn.Sequential(
            ConvNorm(channels, channels, 3, stride=2, active=False),
            nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        )
        self.semantic_fine = ConvNorm(channels, channels, 3, active=False)
        self.semantic_coarse = _separable(channels)
        self.fuse = ConvNorm(channels, channels, 3)

    def forward(self, detail: Tensor, semantic: Tensor) -> Tensor:
        height, width = detail.shape[-2:]
        gate = upsample(self.semantic_fine(semantic), (height, width)).sigmoid()
        fine = self.detail_fine(detail) * gate
        coarse = self.detail_coarse(detail) * self.semantic_coarse(semantic).sigmoid()
        return self.fuse(fine + upsample(coarse, (height, width)))


def _convolutions(inputs: int, outputs: int, depth: int) -> list[ConvNorm]:
    """One stage of the detail branch: halves the size, then goes on at it."""
    return [ConvNorm(inputs, outputs, 3, stride=2), *(ConvNorm(outputs, outputs, 3) for _ in range(depth - 1))]


def _stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """One stage of the semantic branch: halves the size, then goes on at it."""
    first = GatherExpansion(inputs, outputs, stride=2)
    return nn.Sequential(first, *(GatherExpansion(outputs, outputs) for _ in range(depth - 1)))


def _separable(channels: int) -> nn.Sequential:
    depthwise = ConvNorm(channels, channels, 3, groups=channels, active=False)
    return nn.Sequential(depthwise, nn.Conv2d(channels, channels, 1, bias=False))
