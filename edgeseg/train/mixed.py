"""Mixed precision, but for the one convolution whose gradient oneDNN gets wrong in BF16.

The gradient of the weights of a grouped, dilated convolution on channels_last is computed there from memory that nobody wrote
(oneDNN 3.12, jit_bf16:avx512_core_bf16, backward_weights): wrong, now and then infinite. Float32 is right, and so is BF16
without dilation or without groups. Of the networks here Fast-SCNN alone has such a layer, in its fusion.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def spare_dilated(network: nn.Module) -> None:
    """Has the grouped, dilated convolutions of the network compute in float32 on a CPU, autocast or not."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_misjudged(module):
            module.forward = partial(_forward, module)


def _forward(conv: nn.Conv2d, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
    return convolve(input, conv.weight, conv.bias, conv)


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, conv: nn.Conv2d) -> Tensor:
    """Returns what `conv` makes of x with this weight and bias, in a precision whose gradient is right."""
    if x.device.type != "cpu" or not _is_misjudged(conv):
        return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
    with torch.autocast("cpu", enabled=False):
        x, weight = x.float(), weight.float()
        return F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _is_misjudged(conv: nn.Conv2d) -> bool:
    return conv.groups > 1 and max(conv.dilation) > 1
