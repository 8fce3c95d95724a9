"""Batch norm folded into the convolution before it, as it is deployed, and taken out again, to train on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

HALF = ".half"
"""What the name of a deployed weight ends in that is stored as float16."""


def pairs(network: nn.Module) -> Iterator[tuple[str, nn.Module, str, str]]:
    """Returns where a convolution is followed by a batch norm: the convolution's full name, their parent, both names."""
    for path, parent in network.named_modules():
        children = list(parent.named_children())
        for (first, conv), (second, norm) in itertools.pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                yield f"{path}.{first}" if path else first, parent, first, second


def fold(network: nn.Module) -> None:
    """Folds in place, for inference: the convolutions keep their names and get a bias."""
    network.eval()
    for _, parent, first, second in list(pairs(network)):
        conv, norm = getattr(parent, first), getattr(parent, second)
        setattr(parent, first, fuse_conv_bn_eval(conv, norm))
        setattr(parent, second, nn.Identity())


def unfold(network: nn.Module, tensors: Mapping[str, Tensor], images: Tensor) -> None:
    """Fills `network` with folded weights, so that it computes what they computed, yet can be trained on.

    tensors: NAME.weight and NAME.bias of convolutions by their full names; those that are missing stay as they are.
    images: what the network takes, float [N, 3, H, W]; on them each batch norm gets the statistics that folding took
    away: mean and deviation are those that its convolution has here, and its scale and shift undo them.
    """
    norms: list[nn.BatchNorm2d] = []
    with torch.no_grad():
        for name, parent, first, second in pairs(network):
            if f"{name}.weight" in tensors:
                getattr(parent, first).weight.copy_(tensors[f"{name}.weight"])
                getattr(parent, second).bias.copy_(tensors[f"{name}.bias"])
                norms.append(getattr(parent, second))
        with _fitted(norms):
            network.eval()(images)
    network.train()


@contextmanager
def _fitted(norms: list[nn.BatchNorm2d]) -> Iterator[None]:
    """Within it, each norm takes mean and deviation from the first batch it meets, and adds its bias alone to it."""

    def fit(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        norm.bias.add_(mean)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())

    hooks = [norm.register_forward_pre_hook(fit) for norm in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
