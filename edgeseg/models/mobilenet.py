"""MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov, Chen; CVPR 2018, arXiv:1801.04381) as a backbone, and its ImageNet weights.

The weights come as TensorFlow trained them: batch norm folded into the convolutions, ReLU6, and stride-2 convolutions
padded at the bottom and the right alone. The network here pads and clips in the same way, so that they mean the same.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.core.errors import EdgesegError
from edgeseg.models.folding import pairs, unfold

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""The paper's table 2: expansion, channels, blocks, stride of the first block."""
IMAGENET_HALF_RANGE, DEEPLAB_HALF_RANGE = 127.5, 128.0
"""h of the input x / h - 1 that the published folded weights were trained with."""


class MobileNetV2(nn.Module):
    """Width 1.0 without the classifier: 1.78 M convolution weights, 0.28 G multiply-accumulates at 224x224.

    With the 1.69 M weights of the paper's last two layers that is its 3.47 M, and with their 0.02 G its 0.30 G.

    output_stride: 32, or 16 as DeepLab has it (Chen et al. 2017): the last stage that would halve the size keeps it, and
    the blocks behind its first one look twice as far apart instead.

    `forward` takes a normalised RGB image, float [N, 3, H, W] with H and W multiples of 32, and returns the last
    features at 1/4 (24 channels), 1/8 (32), 1/16 (96) and 1/output_stride (320) of its size.
    """

    channels = (24, 32, 96, 320)

    def __init__(self, output_stride: int = 32) -> None:
        super().__init__()
        if output_stride not in (16, 32):
            raise ValueError(f"output_stride is {output_stride}: give 16 or 32")
        self.stem = ConvClipped(3, 32, 3, stride=2)
        blocks: list[nn.Module] = []
        self.taps: list[int] = []
        inputs, reached, dilation = 32, 2, 1
        for expansion, outputs, count, stride in STAGES:
            if stride == 2:
                self.taps.append(len(blocks))
            kept = stride == 2 and reached == output_stride
            reached *= 1 if kept else stride
            for index in range(count):
                step = stride if index == 0 and not kept else 1
                blocks.append(Bottleneck(inputs, outputs, stride=step, expansion=expansion, dilation=dilation))
                inputs = outputs
                dilation = 2 if kept else dilation
        self.taps = [*self.taps[1:], len(blocks)]
        self.blocks = nn.ModuleList(blocks)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(image)
        found: list[Tensor] = []
        for index, block in enumerate(self.blocks, start=1):
            x = block(x)
            if index in self.taps:
                found.append(x)
        return tuple(found)


class ConvClipped(nn.Module):
    """Convolution without bias, batch norm, and ReLU6 if `active`; stride 2 pads as TensorFlow's "SAME" does."""

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
        super().__init__()
        padding = dilation * (kernel // 2) if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        if self.conv.stride[0] == 2:
            x = F.pad(x, (0, 1, 0, 1))
        x = self.norm(self.conv(x))
        return F.relu6(x, inplace=True) if self.active else x


class Bottleneck(nn.Module):
    """Inverted residual: expand (unless by 1), depth-wise 3x3, project without non-linearity."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, expansion: int, dilation: int = 1) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [ConvClipped(inputs, hidden)] if expansion > 1 else []
        depthwise = ConvClipped(hidden, hidden, 3, stride=stride, groups=hidden, dilation=dilation)
        self.block = nn.Sequential(*expand, depthwise, ConvClipped(hidden, outputs, active=False))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


def load_backbone(backbone: MobileNetV2, path: Path, images: Tensor, mean: Tensor, std: Tensor) -> None:
    """Fills `backbone` with folded weights, so that it computes what they computed, yet can be trained on.

    path: tensors NN.weight and NN.bias in the order of the layers, for RGB input: ImageNet's for x / 127.5 - 1, or those of
    a DeepLabV3 (see `edgeseg.models.deeplabv3plus`) for x / 128 - 1, which are told apart by what follows the backbone.
    images: normalised RGB, float [N, 3, H, W], on which the batch norms are set (see `unfold`).
    mean, std: float [3], of the normalisation that `images` had, in 0..255.
    Raises EdgesegError where the file holds anything else.
    """
    tensors = read_folded(path)
    named = folded_layers(backbone, tensors, path)
    fit_input(named, "stem.conv", mean, std, halfway=half_range(tensors))
    unfold(backbone, named, images)


def half_range(tensors: dict[str, Tensor]) -> float:
    """Returns h of the input x / h - 1 that folded weights expect: what follows the backbone tells ImageNet from DeepLab."""
    follows = tensors.get("51.weight")
    return DEEPLAB_HALF_RANGE if follows is not None and follows.shape[0] == 256 else IMAGENET_HALF_RANGE


def folded_layers(backbone: MobileNetV2, tensors: dict[str, Tensor], path: Path, prefix: str = "") -> dict[str, Tensor]:
    """Returns folded weights by the names that the backbone's convolutions have. Raises EdgesegError for other shapes."""
    named: dict[str, Tensor] = {}
    for index, (name, parent, conv, _) in enumerate(pairs(backbone)):
        weight, bias = (tensors.get(f"{index:02d}.{part}") for part in ("weight", "bias"))
        if weight is None or bias is None or weight.shape != getattr(parent, conv).weight.shape:
            raise EdgesegError(
                f"{path}: layer {index:02d} is not MobileNetV2 1.0's; give --backbone its folded weights"
            )
        named |= {f"{prefix}{name}.weight": weight.float(), f"{prefix}{name}.bias": bias.float()}
    return named


def fit_input(named: dict[str, Tensor], first: str, mean: Tensor, std: Tensor, halfway: float) -> None:
    """Changes the first layer so that it takes (x - mean) / std instead of x / halfway - 1."""
    weight, bias = named[f"{first}.weight"], named[f"{first}.bias"]
    scale, shift = std / halfway, mean / halfway - 1
    named[f"{first}.bias"] = bias + (weight * shift[:, None, None]).sum((1, 2, 3))
    named[f"{first}.weight"] = weight * scale[:, None, None]


def read_folded(path: Path) -> dict[str, Tensor]:
    """Returns a file's tensors by name. Raises EdgesegError."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise EdgesegError(f"{path}: no tensors that can be read ({reason}); fetch the weights anew") from error
    if not isinstance(tensors, dict):
        raise EdgesegError(f"{path}: holds no tensors by name; give --backbone MobileNetV2's folded weights")
    return tensors
