"""Fast-SCNN: Fast Semantic Segmentation Network (Poudel, Liwicki, Cipolla; BMVC 2019, arXiv:1902.04502).

Layer for layer the paper's table 1:

    learning to downsample    Conv 32 /2, DSConv 48 /2, DSConv 64 /2                           -> 1/8
    global features           bottlenecks 3 x 64 /2, 3 x 96 /2, 3 x 128; pyramid pooling 128   -> 1/32
    feature fusion            128, both branches added at                                         1/8
    classifier                2 x DSConv 128, dropout, Conv 1x1                                -> 1/8
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.models.layers import (
    ConvNorm,
    DepthwiseSeparable,
    InvertedResidual,
    PyramidPooling,
    SegmentationNetwork,
    upsample,
)


class FastSCNN(SegmentationNetwork):
    """1.11 M convolution weights (1,114,096 for 19 classes, the paper's figure; batch norm adds 23,680 until it is folded).

    0.70 G multiply-accumulates at 576x384 and 11 classes, 6.71 G at 2048x1024 and 19.
    classes: how many logits a pixel. dropout: before the last convolution, in training only.
    """

    stride = 8
    feature_channels = (64, 128)

    def __init__(self, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.downsample = nn.Sequential(
            ConvNorm(3, 32, 3, stride=2),
            DepthwiseSeparable(32, 48, stride=2),
            DepthwiseSeparable(48, 64, stride=2),
        )
        self.extract = nn.Sequential(
            *_bottlenecks(64, 64, stride=2),
            *_bottlenecks(64, 96, stride=2),
            *_bottlenecks(96, 128, stride=1),
            PyramidPooling(128, 128),
        )
        self.fuse = FeatureFusion(64, 128, 128)
        self.classifier = nn.Sequential(
            DepthwiseSeparable(128, 128),
            DepthwiseSeparable(128, 128),
            nn.Dropout(dropout),
            nn.Conv2d(128, classes, 1),
        )

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.downsample(image)
        return fine, self.extract(fine)

    def classify(self, *features: Tensor) -> Tensor:
        fine, deep = features
        return self.classifier(self.fuse(fine, deep))


class FeatureFusion(nn.Module):
    """Adds the fine features and the upsampled deep ones, each through a 1x1 convolution of its own (table 3)."""

    def __init__(self, fine: int, deep: int, outputs: int) -> None:
        super().__init__()
        self.spread = ConvNorm(deep, deep, 3, groups=deep, dilation=4)
        self.deep = ConvNorm(deep, outputs, active=False)
        self.fine = ConvNorm(fine, outputs, active=False)

    def forward(self, fine: Tensor, deep: Tensor) -> Tensor:
        height, width = fine.shape[-2:]
        spread = self.spread(upsample(deep, (height, width)))
        return F.relu(self.deep(spread) + self.fine(fine))


def _bottlenecks(inputs: int, outputs: int, *, stride: int) -> list[InvertedResidual]:
    first = InvertedResidual(inputs, outputs, stride=stride)
    return [first, *(InvertedResidual(outputs, outputs) for _ in range(2))]
