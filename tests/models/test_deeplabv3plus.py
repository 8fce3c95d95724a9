"""DeepLabV3+ is the paper's on MobileNetV2: its size and cost, its pyramid, and the weights that it begins from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from edgeseg.core.errors import EdgesegError
from edgeseg.models.deeplabv3plus import RATES, DeepLabV3PlusMobileNetV2, load_deeplab
from edgeseg.models.mobilenet import STAGES, ConvClipped, MobileNetV2, load_backbone
from tests.models.counting import macs, norm_weights, weights

GREY = torch.full((3,), 128.0)


@pytest.fixture(scope="module")
def network() -> DeepLabV3PlusMobileNetV2:
    torch.manual_seed(0)
    return DeepLabV3PlusMobileNetV2(11).eval()


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the file's form, of a plausible size, half precision: backbone, 1x1, pooling, projection."""
    generator = torch.Generator().manual_seed(3)
    shapes = [layer.conv.weight.shape for layer in MobileNetV2().modules() if isinstance(layer, ConvClipped)]
    shapes += [torch.Size((256, 320, 1, 1)), torch.Size((256, 320, 1, 1)), torch.Size((256, 512, 1, 1))]
    tensors: dict[str, Tensor] = {}
    for index, shape in enumerate(shapes):
        tensors[f"{index:02d}.weight"] = (
            torch.randn(shape, generator=generator) * (2 / shape[1:].numel()) ** 0.5
        ).half()
        tensors[f"{index:02d}.bias"] = torch.rand(shape[0], generator=generator)
    path = tmp_path_factory.mktemp("weights") / "folded.pt"
    torch.save(tensors, path)
    return path


def test_its_size_and_cost_are_the_docstrings(network: DeepLabV3PlusMobileNetV2) -> None:
    assert weights(network) == 2_576_000
    assert norm_weights(network) == 37_120
    assert macs(network, 384, 576) == 2_953_717_760
    assert DeepLabV3PlusMobileNetV2.__doc__ is not None
    assert "2.58 M" in DeepLabV3PlusMobileNetV2.__doc__
    assert "2.95 G" in DeepLabV3PlusMobileNetV2.__doc__


def test_logits_come_raw_at_a_quarter_of_the_input(network: DeepLabV3PlusMobileNetV2) -> None:
    with torch.inference_mode():
        low, context = network.features(torch.zeros(1, 3, 64, 160))
        logits = network(torch.randn(1, 3, 64, 160))
    assert (low.shape, context.shape) == ((1, 24, 16, 40), (1, 256, 4, 10))
    assert logits.shape == (1, 11, 16, 40)
    assert logits.min() < 0, "raw logits, not probabilities"


def test_the_loss_reaches_every_parameter() -> None:
    network = DeepLabV3PlusMobileNetV2(5).train()
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    unreached = [name for name, p in network.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert not unreached


def test_the_last_stage_looks_twice_as_far_instead_of_halving() -> None:
    backbone = MobileNetV2(16)
    depthwise = [layer.conv for layer in backbone.modules() if isinstance(layer, ConvClipped) and layer.conv.groups > 1]
    assert [conv.dilation[0] for conv in depthwise] == [1] * 14 + [2] * 3
    assert [conv.stride[0] for conv in depthwise] == [1, 2, 1, 2, 1, 1, 2] + [1] * 10


def test_the_atrous_branches_have_the_papers_rates(network: DeepLabV3PlusMobileNetV2) -> None:
    dilations = [m.dilation[0] for m in network.aspp.modules() if isinstance(m, torch.nn.Conv2d) and m.groups > 1]
    assert tuple(dilations) == RATES == (6, 12, 18)


def test_folded_weights_mean_what_they_meant_in_tensorflow(folded: Path) -> None:
    """The whole of DeepLabV3 but its logits, written out: x / 128 - 1, "SAME", ReLU6; RGB pixels in, the projection out."""
    pixels = torch.rand(4, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 255
    tensors = {name: value.float() for name, value in torch.load(folded, weights_only=True).items()}
    index = 0

    def convolve(
        x: Tensor, stride: int = 1, dilation: int = 1, *, depthwise: bool = False, active: bool = True
    ) -> Tensor:
        nonlocal index
        weight, bias = tensors[f"{index:02d}.weight"], tensors[f"{index:02d}.bias"]
        index += 1
        reach = dilation * (weight.shape[-1] - 1) + 1
        spare = [max((-(-size // stride) - 1) * stride + reach - size, 0) for size in (x.shape[-1], x.shape[-2])]
        x = F.pad(x, (spare[0] // 2, spare[0] - spare[0] // 2, spare[1] // 2, spare[1] - spare[1] // 2))
        x = F.conv2d(x, weight, bias, stride, dilation=dilation, groups=x.shape[1] if depthwise else 1)
        return x.clamp(0, 6) if active else x

    x, block_number = convolve(pixels / 128 - 1, 2), 0
    for expansion, _, count, stride in STAGES:
        for block in range(count):
            y = convolve(x) if expansion > 1 else x
            step = stride if block == 0 and block_number < 13 else 1
            y = convolve(y, step, 2 if block_number > 13 else 1, depthwise=True)
            y = convolve(y, active=False)
            x = x + y if block > 0 else y
            block_number += 1
    point = convolve(x)
    pooled = convolve(x.mean((2, 3), keepdim=True)).expand_as(point)
    expected = convolve(torch.cat([pooled, point], 1))

    network = DeepLabV3PlusMobileNetV2(3)
    load_deeplab(network, folded, pixels / 128 - 1, GREY, GREY)
    with torch.inference_mode():
        _, found = network.eval().features(pixels / 128 - 1)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-3 * float(expected.abs().max()))


def test_other_weights_are_refused_by_name(folded: Path, tmp_path: Path) -> None:
    tensors = torch.load(folded, weights_only=True)
    torch.save({name: value for name, value in tensors.items() if not name.startswith("53")}, tmp_path / "cut.pt")
    with pytest.raises(EdgesegError, match=r"cut\.pt: holds no DeepLabV3 on MobileNetV2 1\.0"):
        load_deeplab(DeepLabV3PlusMobileNetV2(3), tmp_path / "cut.pt", torch.randn(1, 3, 32, 32), GREY, GREY)


def test_any_network_takes_the_backbone_of_such_weights(folded: Path) -> None:
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    whole, alone = DeepLabV3PlusMobileNetV2(3), MobileNetV2(16)
    load_deeplab(whole, folded, images, GREY, GREY)
    load_backbone(alone, folded, images, GREY, GREY)
    with torch.inference_mode():
        torch.testing.assert_close(alone.eval()(images)[-1], whole.backbone.eval()(images)[-1], rtol=1e-3, atol=1e-3)
