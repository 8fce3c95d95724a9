"""BiSeNet: Bilateral Segmentation Network (Yu, Wang, Peng, Gao, Yu, Sang; ECCV 2018, arXiv:1808.00897) on MobileNetV2.

    spatial path       Conv 7x7 64 /2, 3x3 64 /2, 3x3 64 /2, 1x1 128                              -> 1/8
    context path       MobileNetV2; attention refinement (128) at 1/16 and 1/32, the mean of the
                       whole image added to the deepest, summed on the way up                     -> 1/8
    feature fusion     256, both paths concatenated, then re-weighted by channel attention        -> 1/8
    head               Conv 3x3 64, Conv 1x1

The paper's context paths are Xception39 and ResNet-18; MobileNetV2 takes their place, with its ImageNet weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeseg.models.layers import ConvNorm, SegmentationNetwork, upsample
from edgeseg.models.mobilenet import MobileNetV2


class BiSeNetMobileNetV2(SegmentationNetwork):
    """2.97 M convolution weights for 11 classes, 1.78 M of them MobileNetV2's (batch norm adds 34,624 until it is folded).

    3.97 G multiply-accumulates at 576x384 and 11 classes. Training adds heads where the paper has its two auxiliary
    losses, on the context path. classes: how many logits a pixel. dropout: before the last convolution, in training only.
    """

    stride = 8
    feature_channels = (0, 128, 128)

    def __init__(self, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.spatial = nn.Sequential(
            ConvNorm(3, 64, 7, stride=2),
            ConvNorm(64, 64, 3, stride=2),
            ConvNorm(64, 64, 3, stride=2),
            ConvNorm(64, 128),
        )
        self.backbone = MobileNetV2()
        *_, middle, deep = MobileNetV2.channels
        self.refine_middle = AttentionRefinement(middle, 128)
        self.refine_deep = AttentionRefinement(deep, 128)
        self.whole = ConvNorm(deep, 128)
        self.smooth_middle = ConvNorm(128, 128, 3)
        self.smooth_deep = ConvNorm(128, 128, 3)
        self.fuse = FeatureFusion(256, 256)
        self.head = nn.Sequential(ConvNorm(256, 64, 3), nn.Dropout(dropout), nn.Conv2d(64, classes, 1))

    def features(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the spatial path at 1/8, and the context path at 1/8 and 1/16, 128 channels each."""
        *_, middle, deep = self.backbone(image)
        whole = self.whole(deep.mean((2, 3), keepdim=True))
        coarse = self.smooth_deep(_doubled(self.refine_deep(deep) + whole))
        context = self.smooth_middle(_doubled(self.refine_middle(middle) + coarse))
        return self.spatial(image), context, coarse

    def classify(self, *features: Tensor) -> Tensor:
        fine, context, _ = features
        return self.head(self.fuse(torch.cat([fine, context], dim=1)))


class AttentionRefinement(nn.Module):
    """The paper's figure 2(b): features times a weight a channel, learnt from their mean over the image."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = ConvNorm(inputs, outputs, 3)
        self.attend = ConvNorm(outputs, outputs, active=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x * self.attend(x.mean((2, 3), keepdim=True)).sigmoid()


class FeatureFusion(nn.Module):
    """The paper's figure 2(c): both paths mixed, then the channels that matter added once more."""

    def __init__(self, inputs: int, outputs: int, reduction: int = 4) -> None:
        super().__init__()
        self.mix = ConvNorm(inputs, outputs)
        self.attend = nn.Sequential(
            nn.Conv2d(outputs, outputs // reduction, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs // reduction, outputs, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(x)
        return x + x * self.attend(x.mean((2, 3), keepdim=True))


def _doubled(x: Tensor) -> Tensor:
    return upsample(x, (x.shape[-2] * 2, x.shape[-1] * 2))
