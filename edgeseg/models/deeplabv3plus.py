"""DeepLabV3+ (Chen, Zhu, Papandreou, Schroff, Adam; ECCV 2018, arXiv:1802.02611) on MobileNetV2.

    backbone    MobileNetV2 at output stride 16: 24 channels at 1/4, 320 at 1/16
    ASPP        mean of the image, Conv 1x1, separable Conv 3x3 with rates 6, 12 and 18, 256 each;
                Conv 1x1 256                                                                -> 1/16
    decoder     Conv 1x1 96, upsampled, beside the 1/4 features through Conv 1x1 32;
                two separable Conv 3x3, 96; Conv 1x1                                        -> 1/4

The paper's decoder is 256 wide, its skip 48: at 1/4 that alone would cost as much as the backbone. 96 and 32 are what a small
machine affords, and narrowing before the upsampling is what training affords: the widest tensor at 1/4 has 128 channels.
The mean of the image goes through a convolution without batch norm, which a batch of eight values a channel would shake.
ReLU6 throughout, as in the published weights of the backbone and of the first two branches (see `load_deeplab`).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.core.errors import EdgesegError
from edgeseg.models.folding import pairs, unfold
from edgeseg.models.layers import SegmentationNetwork, upsample
from edgeseg.models.mobilenet import DEEPLAB_HALF_RANGE, ConvClipped, MobileNetV2, fit_input, folded_layers, read_folded

RATES = (6, 12, 18)
"""Dilations of the three atrous branches at output stride 16."""


class DeepLabV3PlusMobileNetV2(SegmentationNetwork):
    """2.58 M convolution weights for 11 classes, 1.78 M of them MobileNetV2's (batch norm adds 37,120 until it is folded).

    2.95 G multiply-accumulates at 576x384 and 11 classes, 2.26 G at 480x352.
    classes: how many logits a pixel. dropout: of whole channels before the last convolution, in training only.
    """

    stride = 4
    feature_channels = (0, 256)

    def __init__(self, classes: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.backbone = MobileNetV2(output_stride=16)
        low, *_, deep = MobileNetV2.channels
        self.aspp = ASPP(deep, 256)
        self.narrow = ConvClipped(256, 96)
        self.skip = ConvClipped(low, 32)
        self.decoder = nn.Sequential(*_separable(96 + 32, 96), *_separable(96, 96))
        self.classifier = nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(96, classes, 1))

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the backbone's features at 1/4 (24 channels) and the pyramid's at 1/16 (256)."""
        low, *_, deep = self.backbone(image)
        return low, self.aspp(deep)

    def classify(self, *features: Tensor) -> Tensor:
        low, context = features
        fine = self.skip(low)
        coarse = upsample(self.narrow(context), (fine.shape[-2], fine.shape[-1]))
        return self.classifier(self.decoder(torch.cat([coarse, fine], dim=1)))


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling with image-level features (Chen et al. 2017, arXiv:1706.05587)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.pool = nn.Conv2d(inputs, outputs, 1)
        self.point = ConvClipped(inputs, outputs)
        self.atrous = nn.ModuleList(nn.Sequential(*_separable(inputs, outputs, rate)) for rate in RATES)
        self.project = ConvClipped(outputs * (2 + len(RATES)), outputs)

    def forward(self, x: Tensor) -> Tensor:
        mean = F.relu6(self.pool(x.mean((2, 3), keepdim=True)))
        point = self.point(x)
        branches = [mean.expand_as(point), point, *(branch(x) for branch in self.atrous)]
        return self.project(torch.cat(branches, dim=1))


def load_deeplab(network: DeepLabV3PlusMobileNetV2, path: Path, images: Tensor, mean: Tensor, std: Tensor) -> None:
    """Fills backbone, the first two branches of ASPP and their columns of its projection; the atrous branches add nothing yet.

    path: folded weights, NN.weight and NN.bias: 00 to 50 MobileNetV2 for RGB x / 128 - 1, 51 ASPP's 1x1, 52 image pooling,
    53 the projection of [pooling, 1x1], as DeepLabV3 for COCO and VOC has them. images, mean, std: as in `load_backbone`.
    Raises EdgesegError where the file holds anything else.
    """
    tensors = read_folded(path)
    if not is_deeplab(tensors):
        raise EdgesegError(f"{path}: holds no DeepLabV3 on MobileNetV2 1.0; give --backbone its folded weights")
    named = folded_layers(network.backbone, tensors, path, "backbone.")
    fit_input(named, "backbone.stem.conv", mean, std, halfway=DEEPLAB_HALF_RANGE)
    ours = {name for name, *_ in pairs(network)}
    for layer, name in (("51", "aspp.point.conv"), ("53", "aspp.project.conv")):
        assert name in ours
        named |= {f"{name}.{part}": tensors[f"{layer}.{part}"].float() for part in ("weight", "bias")}
    with torch.no_grad():
        weight = torch.zeros_like(network.aspp.project.conv.weight)
        weight[:, :512] = named["aspp.project.conv.weight"]
        named["aspp.project.conv.weight"] = weight
        network.aspp.pool.weight.copy_(tensors["52.weight"])
        assert network.aspp.pool.bias is not None
        network.aspp.pool.bias.copy_(tensors["52.bias"])
    unfold(network, named, images)


def is_deeplab(tensors: dict[str, Tensor]) -> bool:
    """Returns whether folded weights are those that `load_deeplab` takes, judged by the shapes behind the backbone."""
    shapes = {"51": (256, 320, 1, 1), "52": (256, 320, 1, 1), "53": (256, 512, 1, 1)}
    return all(
        f"{layer}.weight" in tensors and f"{layer}.bias" in tensors and tensors[f"{layer}.weight"].shape == shape
        for layer, shape in shapes.items()
    )


def _separable(inputs: int, outputs: int, rate: int = 1) -> tuple[ConvClipped, ConvClipped]:
    return ConvClipped(inputs, inputs, 3, groups=inputs, dilation=rate), ConvClipped(inputs, outputs)
