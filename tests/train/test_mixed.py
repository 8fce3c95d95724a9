"""Mixed precision: every network's gradient is that of float32, but for BF16's rounding."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from edgeseg.models import MODELS, build_model
from edgeseg.models.layers import ConvNorm
from edgeseg.train.mixed import spare_dilated


@pytest.mark.parametrize(("groups", "dilation"), [(128, 4), (128, 2), (128, 1), (1, 4)])
def test_a_convolution_learns_as_in_float32(groups: int, dilation: int) -> None:
    torch.manual_seed(groups + dilation)
    layer: nn.Module = ConvNorm(128, 128, 3, groups=groups, dilation=dilation)
    layer = layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    spared = copy.deepcopy(layer)
    spare_dilated(spared)
    image = torch.randn(8, 128, 24, 36).contiguous(memory_format=torch.channels_last)
    judgement = torch.randn_like(image)
    exact = _slope(layer, image, judgement, mixed=False)
    for _ in range(20):
        slope = _slope(spared, image, judgement, mixed=True)
        assert float((slope - exact).norm()) < 0.1 * float(exact.norm())


def test_dilation_is_met_in_fast_scnn_alone() -> None:
    """Where another network takes it up, its training in BF16 is to be looked at again."""
    dilated = {name for name in MODELS if any(max(conv.dilation) > 1 for conv in _convolutions(build_model(name, 3)))}
    assert dilated == {"fast-scnn"}


def _slope(layer: nn.Module, image: Tensor, judgement: Tensor, *, mixed: bool) -> Tensor:
    """Returns the gradient of the convolution's weights, computed in memory that held something else before."""
    layer.zero_grad()
    used = [torch.full((1 << power,), torch.inf) for power in range(12, 21, 2)]
    del used
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        judged = layer(image)
    (judged.float() * judgement).sum().backward()
    (conv,) = _convolutions(layer)
    assert conv.weight.grad is not None
    return conv.weight.grad.clone()


def _convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d)]
