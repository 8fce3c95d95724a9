"""YOLACT: Real-time Instance Segmentation (Bolya, Zhou, Xiao, Lee; ICCV 2019, arXiv:1904.02689) on MobileNetV2.

    backbone           MobileNetV2                                                       -> 1/8, 1/16, 1/32
    pyramid            lateral 1x1, added on the way down the scales, 3x3: P3, P4, P5;
                       3x3 /2 twice: P6, P7                                              -> 1/8 .. 1/128
    protonet (P3)      three 3x3, doubled, 3x3, 1x1 prototypes                           -> 1/4
    head (each level)  3x3; then 3x3 each for boxes, classes and coefficients of three anchors a cell
    semantic (P3)      1x1, a logit a class, for the side loss alone

Four things are not the paper's: the backbone; 128 channels in place of 256 unless `width` says otherwise; how small the last
layers begin; and batch norm behind the convolutions of pyramid and protonet, which deployment folds away. MobileNetV2's features
are linear and of very different magnitude (deviations of 5.9, 3.8 and 1.1, trained): without it the one head that all levels share
answers for the coarse ones alone, and small things are never found. The head itself has none, since each level would want its own
statistics. The mask of an anchor is where the sum of the prototypes, weighted by its coefficients, is positive.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.models.layers import ConvNorm, upsample
from edgeseg.models.mobilenet import ConvClipped, MobileNetV2

ASPECTS = (1.0, 0.5, 2.0)
"""Width over height of the three anchors of a cell."""
SCALES = (24, 48, 96, 192, 384)
"""Side of the square anchor on P3 .. P7, in pixels of an input of 550; the others have its area."""
CENTRE_VARIANCE, SIZE_VARIANCE = 0.1, 0.2
"""What SSD (Liu et al. 2016) scales offsets by: of centres, in units of the anchor's size, and of logarithms of sizes."""


class YolactOutput(NamedTuple):
    """What the network says of N images with A anchors each, any float type.

    boxes: [N, A, 4], offsets of the anchors (`decode_boxes`). classes: [N, A, classes + 1], raw logits, 0 = background.
    coefficients: [N, A, K] in -1..1. prototypes: [N, K, h, w], not negative, h and w twice those of P3.
    semantic: [N, classes, h / 2, w / 2], raw logits, each class against all else.
    """

    boxes: Tensor
    classes: Tensor
    coefficients: Tensor
    prototypes: Tensor
    semantic: Tensor


class Yolact(nn.Module):
    """3.45 M convolution weights for one class, 1.78 M of them MobileNetV2's; 8.06 M where `width` is 256.

    Multiply-accumulates for one class, the semantic layer included:

        width      320       416       550
        128     3.17 G    5.37 G    9.52 G
        256    10.34 G   17.48 G   30.91 G

    classes: how many, background not counted. size: side of the square input in pixels. prototypes: K. width: channels of
    pyramid, protonet and head. stride: input pixels a prototype's pixel. `forward` takes a normalised RGB image, float
    [N, 3, size, size].
    """

    stride = 4

    def __init__(self, classes: int, size: int = 416, prototypes: int = 32, width: int = 128) -> None:
        super().__init__()
        self.size = size
        self.pyramid = Pyramid(MobileNetV2.channels[1:], width)
        self.protonet = Protonet(width, prototypes)
        self.head = PredictionHead(width, classes, prototypes)
        self.semantic = nn.Conv2d(width, classes, 1)
        self.apply(_begin_as_the_paper)
        # MobileNetV2's features are several times larger than the paper's ResNet's. Without this (Lin et al. 2017,
        # RetinaNet) training begins with certain answers, all of them wrong, and coefficients where tanh is flat.
        for last in (self.head.boxes, self.head.classes, self.head.coefficients, self.semantic):
            nn.init.normal_(last.weight, std=0.01)
        self.backbone = MobileNetV2()
        _keep_the_ends_of_odd_sizes(self.backbone, size)

    def forward(self, image: Tensor) -> YolactOutput:
        levels = self.pyramid(self.backbone(image)[1:])
        boxes, classes, coefficients = (torch.cat(parts, 1) for parts in zip(*map(self.head, levels), strict=True))
        return YolactOutput(boxes, classes, coefficients, self.protonet(levels[0]), self.semantic(levels[0]))


class DeployedYolact(nn.Module):
    """The same network, answering as the exported graph does; it shares the weights of the one that it is given.

    `forward` takes a normalised RGB image, float32 [N, 3, size, size], and returns float32
    boxes [N, A, 4], x0 y0 x1 y1 in 0..1 of the input; scores [N, A, classes] in 0..1, without the background;
    coefficients [N, A, K]; prototypes [N, K, h, w].
    """

    anchors: Tensor

    def __init__(self, network: Yolact) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("anchors", anchors(network.size), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        output = self.network(image)
        boxes = decode_boxes(output.boxes, self.anchors)
        return boxes, output.classes.softmax(-1)[..., 1:], output.coefficients, output.prototypes


class Pyramid(nn.Module):
    """Feature pyramid (Lin et al. 2017): features of three strides in, P3 .. P7 out, `width` channels each."""

    def __init__(self, inputs: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(ConvNorm(channels, width, active=False) for channels in inputs)
        self.smooth = nn.ModuleList(ConvNorm(width, width, 3) for _ in inputs)
        self.shrink = nn.ModuleList(ConvNorm(width, width, 3, stride=2) for _ in range(len(SCALES) - len(inputs)))

    def forward(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        """features: finest first. Returns the levels, finest first."""
        sums = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for finer in reversed(range(len(sums) - 1)):
            height, width = sums[finer].shape[-2:]
            sums[finer] = sums[finer] + upsample(sums[finer + 1], (height, width))
        levels = [smooth(x) for smooth, x in zip(self.smooth, sums, strict=True)]
        for shrink in self.shrink:
            levels.append(shrink(levels[-1]))
        return levels


class Protonet(nn.Module):
    """P3 -> prototypes [N, K, h, w] at twice its size, not negative."""

    def __init__(self, width: int, prototypes: int) -> None:
        super().__init__()
        self.coarse = nn.Sequential(*(ConvNorm(width, width, 3) for _ in range(3)))
        self.fine = nn.Sequential(ConvNorm(width, width, 3), nn.Conv2d(width, prototypes, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.fine(upsample(self.coarse(x), (x.shape[-2] * 2, x.shape[-1] * 2)))


class PredictionHead(nn.Module):
    """A level [N, width, h, w] -> offsets, logits and coefficients of its anchors, [N, h w 3, ...], row by row."""

    def __init__(self, width: int, classes: int, prototypes: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(_conv3(width, width), nn.ReLU())
        self.boxes = _conv3(width, len(ASPECTS) * 4)
        self.classes = _conv3(width, len(ASPECTS) * (classes + 1))
        self.coefficients = _conv3(width, len(ASPECTS) * prototypes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.shared(x)
        return (
            _an_anchor_each(self.boxes, x),
            _an_anchor_each(self.classes, x),
            _an_anchor_each(self.coefficients, x).tanh(),
        )


def anchors(size: int) -> Tensor:
    """Returns float32 [A, 4], cx cy w h in 0..1 of a square input of `size` pixels: level by level, row by row.

    19,248 of them at 550. Their shapes are those of the paper's text; its code makes all of them square.
    """
    levels: list[Tensor] = []
    shapes = torch.tensor([(math.sqrt(aspect), 1 / math.sqrt(aspect)) for aspect in ASPECTS])
    for scale, side in zip(SCALES, _sides_of_levels(size), strict=True):
        middles = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(middles, middles, indexing="ij")
        centres = torch.stack([x, y], -1).view(-1, 1, 2).expand(-1, len(ASPECTS), -1)
        levels.append(torch.cat([centres, (scale / 550 * shapes).expand_as(centres)], -1).view(-1, 4))
    return torch.cat(levels)


def anchors_of_levels(size: int) -> tuple[int, ...]:
    """Returns how many of the `anchors` each level has, finest first."""
    return tuple(side * side * len(ASPECTS) for side in _sides_of_levels(size))


def _sides_of_levels(size: int) -> tuple[int, ...]:
    """Returns how many cells P3 .. P7 have along a side."""
    sides = [math.ceil(size / 8)]
    while len(sides) < len(SCALES):
        sides.append(math.ceil(sides[-1] / 2))
    return tuple(sides)


def decode_boxes(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Returns boxes [..., A, 4], x0 y0 x1 y1, cut to 0..1, from offsets [..., A, 4] of `anchors` [A, 4].

    The cut also keeps finite what `exp` makes infinite in half precision, where an anchor is far from anything.
    """
    centres = anchors[:, :2] + offsets[..., :2] * (CENTRE_VARIANCE * anchors[:, 2:])
    halves = (offsets[..., 2:] * SIZE_VARIANCE).exp() * (anchors[:, 2:] / 2)
    return torch.cat([centres - halves, centres + halves], -1).clamp(0, 1)


def encode_boxes(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Returns the offsets [P, 4] that make `anchors` [P, 4] into `boxes` [P, 4], x0 y0 x1 y1, none of them empty."""
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    moved = (centres - anchors[:, :2]) / (CENTRE_VARIANCE * anchors[:, 2:])
    return torch.cat([moved, (sizes / anchors[:, 2:]).log() / SIZE_VARIANCE], -1)


def _conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _begin_as_the_paper(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _keep_the_ends_of_odd_sizes(backbone: MobileNetV2, size: int) -> None:
    """Makes features of ceil(size / stride) pixels, as TensorFlow's "SAME" would: 69, 35 and 18 at 550."""
    for layer in backbone.modules():
        if isinstance(layer, ConvClipped) and layer.conv.stride[0] == 2:
            # The layer itself pads for even sizes. Settled here, and not by shapes in `forward`, the graph stays fixed.
            if size % 2:
                layer.register_forward_pre_hook(_pad_before)
            size = math.ceil(size / 2)


def _pad_before(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    return F.pad(inputs[0], (1, 0, 1, 0))


def _an_anchor_each(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """Returns what a layer of 3 D channels answers, [N, h w 3, D], an anchor a row."""
    return layer(x).permute(0, 2, 3, 1).reshape(x.shape[0], -1, layer.out_channels // len(ASPECTS))
