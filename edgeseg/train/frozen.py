"""A backbone that is tuned, not trained anew: its batch norm keeps its statistics, its first blocks keep their weights.

Statistics of eight views are worse than those that the weights came with, and the passes over the widest tensors of the network
are saved: a norm whose statistics stand still is part of the convolution before it.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.core.errors import UsageError
from edgeseg.models.mobilenet import ConvClipped, MobileNetV2
from edgeseg.train.dilated import convolve


def backbone_of(network: nn.Module, model: str, why: str) -> MobileNetV2:
    """Returns the network's backbone. model, why: the network's name and the option that needs it, for the UsageError."""
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, MobileNetV2):
        raise UsageError(f"{model} has no MobileNetV2 in it: leave {why} out")
    return backbone


def freeze_blocks(backbone: MobileNetV2, count: int) -> None:
    """Takes the stem and the first `count` bottlenecks out of training. Raises UsageError for more than there are."""
    if count > len(backbone.blocks):
        raise UsageError(f"--frozen-blocks is {count}: MobileNetV2 has {len(backbone.blocks)}")
    for module in [backbone.stem, *backbone.blocks[:count]]:
        module.requires_grad_(False)


def freeze_norm(backbone: MobileNetV2) -> None:
    """Has each convolution of the backbone compute with its batch norm's standing statistics, scale and shift folded in."""
    for module in backbone.modules():
        if isinstance(module, ConvClipped):
            module.forward = partial(_convolve_folded, module)


def _convolve_folded(layer: ConvClipped, x: Tensor) -> Tensor:
    conv, norm = layer.conv, layer.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight, bias = conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
    if conv.stride[0] == 2:
        x = F.pad(x, (0, 1, 0, 1))
    x = convolve(conv, x, weight, bias)
    return F.relu6(x, inplace=True) if layer.active else x
