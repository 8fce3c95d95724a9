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


class MobileNetV2(nn.Module):
    """Width 1.0 without the classifier: 1.78 M convolution weights, 0.28 G multiply-accumulates at 224x224.

    With the 1.69 M weights of the paper's last two layers that is its 3.47 M, and with their 0.02 G its 0.30 G.

    `forward` takes a normalised RGB image, float [N, 3, H, W] with H and W multiples of 32, and returns the last
    features at 1/4 (24 channels), 1/8 (32), 1/16 (96) and 1/32 (320) of its size.
    """

    channels = (24, 32, 96, 320)

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvClipped(3, 32, 3, stride=2)
        blocks: list[nn.Module] = []
        self.taps: list[int] = []
        inputs = 32
        for expansion, outputs, count, stride in STAGES:
            if stride == 2:
                self.taps.append(len(blocks))
            for index in range(count):
                blocks.append(Bottleneck(inputs, outputs, stride=stride if index == 0 else 1, expansion=expansion))
                inputs = outputs
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
        self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        padding = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        if self.conv.stride[0] == 2:
            x = F.pad(x, (0, 1, 0, 1))
        x = self.norm(self.conv(x))
        return F.relu6(x, inplace=True) if self.active else x


class Bottleneck(nn.Module):
    """Inverted residual: expand (unless by 1), depth-wise 3x3, project without non-linearity."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [ConvClipped(inputs, hidden)] if expansion > 1 else []
        depthwise = ConvClipped(hidden, hidden, 3, stride=stride, groups=hidden)
        self.block = nn.Sequential(*expand, depthwise, ConvClipped(hidden, outputs, active=False))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.residual else self.block(x)


def load_imagenet(network: MobileNetV2, path: Path, images: Tensor, mean: Tensor, std: Tensor) -> None:
    """Fills `network` with folded ImageNet weights, so that it computes what they computed, yet can be trained on.

    path: tensors NN.weight and NN.bias in the order of the layers, for RGB input x / 127.5 - 1.
    images: normalised RGB, float [N, 3, H, W], on which the batch norms are set (see `unfold`).
    mean, std: float [3], of the normalisation that `images` had, in 0..255.
    Raises EdgesegError where the file holds anything else.
    """
    tensors = _read(path)
    named: dict[str, Tensor] = {}
    for index, (name, parent, conv, _) in enumerate(pairs(network)):
        weight, bias = (tensors.get(f"{index:02d}.{part}") for part in ("weight", "bias"))
        if weight is None or bias is None or weight.shape != getattr(parent, conv).weight.shape:
            raise EdgesegError(
                f"{path}: layer {index:02d} is not MobileNetV2 1.0's; give --backbone its folded weights"
            )
        weight, bias = weight.float(), bias.float()
        if index == 0:
            scale, shift = std / 127.5, mean / 127.5 - 1
            bias = bias + (weight * shift[:, None, None]).sum((1, 2, 3))
            weight = weight * scale[:, None, None]
        named |= {f"{name}.weight": weight, f"{name}.bias": bias}
    unfold(network, named, images)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise EdgesegError(f"{path}: no tensors that can be read ({reason}); fetch the weights anew") from error
    if not isinstance(tensors, dict):
        raise EdgesegError(f"{path}: holds no tensors by name; give --backbone MobileNetV2's folded weights")
    return tensors
