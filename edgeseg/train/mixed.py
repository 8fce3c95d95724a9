"""Mixed precision, but for the one convolution whose gradient oneDNN gets wrong in BF16.

The gradient of the weights of a grouped, dilated convolution on channels_last is computed there from memory that nobody wrote
(oneDNN 3.12, jit_bf16:avx512_core_bf16, backward_weights): wrong, now and then infinite. Float32 is right, and so is BF16
without dilation or without groups. Of the networks here Fast-SCNN alone has such a layer, in its fusion.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn


def spare_dilated(network: nn.Module) -> None:
    """Has the grouped, dilated convolutions of the network compute in float32 on a CPU, autocast or not."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and max(module.dilation) > 1:
            module.forward = partial(_spared, module)


def _spared(conv: nn.Conv2d, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
    if input.device.type != "cpu":
        return nn.Conv2d.forward(conv, input)
    with torch.autocast("cpu", enabled=False):
        return nn.Conv2d.forward(conv, input.float())
