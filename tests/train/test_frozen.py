"""A backbone that is tuned: the same function, with statistics and first blocks that stay as they came."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from edgeseg.core.errors import UsageError
from edgeseg.models import build_model
from edgeseg.models.mobilenet import MobileNetV2
from edgeseg.train.frozen import backbone_of, freeze_blocks, freeze_norm
from edgeseg.train.loop import train
from tests.train.conftest import Recipes


def _warm(output_stride: int) -> MobileNetV2:
    """A backbone whose norms have seen something, so that folding them is not the identity."""
    torch.manual_seed(output_stride)
    backbone = MobileNetV2(output_stride).train()
    with torch.no_grad():
        for module in backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
        for _ in range(3):
            backbone(torch.randn(4, 3, 64, 64))
    return backbone


@pytest.mark.parametrize("output_stride", [16, 32])
def test_with_frozen_norm_it_computes_in_training_what_it_does_in_inference(output_stride: int) -> None:
    backbone = _warm(output_stride)
    expected = copy.deepcopy(backbone).eval()
    freeze_norm(backbone)
    image = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        for found, exact in zip(backbone.train()(image), expected(image), strict=True):
            assert float((found - exact).norm()) < 1e-4 * float(exact.norm())
    before, after = expected.state_dict(), backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "statistics moved, or keys changed"


def test_its_gradient_is_that_of_norms_in_inference() -> None:
    backbone = _warm(16)
    expected = copy.deepcopy(backbone).eval()
    freeze_norm(backbone)
    image = torch.randn(2, 3, 64, 64)
    for network in (backbone, expected):
        network(image)[-1].square().mean().backward()
    for (name, found), exact in zip(backbone.named_parameters(), expected.parameters(), strict=True):
        assert found.grad is not None, name
        assert exact.grad is not None, name
        assert float((found.grad - exact.grad).norm()) <= 1e-3 * float(exact.grad.norm()) + 1e-7, name


def test_frozen_blocks_stay_and_the_others_learn(recipe: Recipes) -> None:
    first = recipe(model="deeplabv3plus-mobilenetv2", epochs=1, lr=0.05, frozen_norm=True, frozen_blocks=2)
    torch.manual_seed(first.seed)
    begun = build_model(first.model, 11).state_dict()
    trained = _tensors(train(first))
    for name, value in trained.items():
        frozen = name.startswith(("backbone.stem", "backbone.blocks.0.", "backbone.blocks.1."))
        if name.endswith("conv.weight"):
            assert torch.equal(value, begun[name]) == frozen, name
        elif name.startswith("backbone") and "running" in name:
            assert torch.equal(value, begun[name]), name


def test_a_network_without_a_backbone_can_not_have_it_frozen(recipe: Recipes) -> None:
    with pytest.raises(UsageError, match="fast-scnn has no MobileNetV2 in it: leave --frozen-norm out"):
        train(recipe(frozen_norm=True))
    with pytest.raises(UsageError, match="--frozen-blocks is 18: MobileNetV2 has 17"):
        freeze_blocks(backbone_of(build_model("bisenet-mobilenetv2", 3), "bisenet-mobilenetv2", "--x"), 18)


def _tensors(path: object) -> dict[str, torch.Tensor]:
    from pathlib import Path

    from edgeseg.train.checkpoint import read_tensors

    return read_tensors(Path(str(path)))
