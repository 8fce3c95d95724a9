"""Dilated depth-wise convolutions are computed another way in training: their answer and their gradient stay the same."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from edgeseg.models.layers import ConvNorm
from edgeseg.train.dilated import compute_without_dilation


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    ("groups", "dilation"), [(128, 2), (128, 4), (128, 7), (128, 12), (128, 23), (128, 30), (1, 4)]
)
def test_a_convolution_learns_as_torchs_own_in_float32(groups: int, dilation: int, mixed: bool) -> None:
    torch.manual_seed(groups + dilation)
    layer: nn.Module = ConvNorm(128, 128, 3, groups=groups, dilation=dilation)
    layer = layer.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    other = copy.deepcopy(layer)
    compute_without_dilation(other)
    image = torch.randn(8, 128, 23, 37).contiguous(memory_format=torch.channels_last)
    judgement = torch.randn_like(image)
    expected = _learnt(layer, image, judgement, mixed=False)
    for found, exact in zip(_learnt(other, image, judgement, mixed=mixed), expected, strict=True):
        assert found.shape == exact.shape
        assert float((found - exact).norm()) < (0.1 if mixed else 1e-5) * float(exact.norm())


def test_what_is_not_dilated_and_depthwise_is_left_alone() -> None:
    layer = nn.Sequential(nn.Conv2d(4, 4, 3, dilation=2, groups=2), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3))
    compute_without_dilation(layer)
    assert not [conv for conv in layer if "forward" in vars(conv)]


def _learnt(layer: nn.Module, image: Tensor, judgement: Tensor, *, mixed: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Returns answer, gradient of the image and of the weights, computed in memory that held something else before."""
    layer.zero_grad()
    image = image.clone(memory_format=torch.preserve_format).requires_grad_()
    used = [torch.full((1 << power,), torch.inf) for power in range(12, 21, 2)]
    del used
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        answer = layer(image)
    (answer.float() * judgement).sum().backward()
    (conv,) = (module for module in layer.modules() if isinstance(module, nn.Conv2d))
    assert conv.weight.grad is not None
    assert image.grad is not None
    return answer.detach().float(), image.grad, conv.weight.grad.clone()
