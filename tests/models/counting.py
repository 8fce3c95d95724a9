"""What a network costs, counted as papers count it: convolutions alone."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def weights(network: nn.Module) -> int:
    """Returns the weights of all convolutions, biases and batch norm left out."""
    return sum(layer.weight.numel() for layer in network.modules() if isinstance(layer, nn.Conv2d))


def norm_weights(network: nn.Module) -> int:
    """Returns the scales and shifts of batch norm, which are gone once they are folded into the convolutions."""
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    return sum(parameter.numel() for layer in norms for parameter in layer.parameters())


def macs(network: nn.Module, height: int, width: int) -> int:
    """Returns the multiply-accumulates of all convolutions for one RGB image.

    Nothing is computed: on the meta device tensors have a shape only, so that a large image costs no time.
    """
    total = 0

    def count(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d)
        total += output.numel() * layer.weight[0].numel()

    shapes = copy.deepcopy(network).to("meta").eval()
    for layer in shapes.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    shapes(torch.zeros(1, 3, height, width, device="meta"))
    return total
