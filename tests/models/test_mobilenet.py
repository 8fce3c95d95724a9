"""MobileNetV2 is the paper's, and computes what its folded ImageNet weights meant, TensorFlow's padding included."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from edgeseg.core.errors import EdgesegError
from edgeseg.models.mobilenet import STAGES, ConvClipped, MobileNetV2, load_backbone
from tests.models.counting import macs, weights

MEAN, STD = torch.tensor([120.0, 110.0, 100.0]), torch.tensor([60.0, 55.0, 50.0])


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the file's form: NN.weight, NN.bias, of a plausible size, half precision."""
    generator = torch.Generator().manual_seed(3)
    tensors: dict[str, Tensor] = {}
    layers = [layer for layer in MobileNetV2().modules() if isinstance(layer, ConvClipped)]
    for index, layer in enumerate(layers):
        shape = layer.conv.weight.shape
        scale = (2 / shape[1:].numel()) ** 0.5
        tensors[f"{index:02d}.weight"] = (torch.randn(shape, generator=generator) * scale).half()
        tensors[f"{index:02d}.bias"] = torch.rand(shape[0], generator=generator)
    path = tmp_path_factory.mktemp("weights") / "folded.pt"
    torch.save(tensors, path)
    return path


def _as_tensorflow_computes(tensors: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """The folded network written out: x / 127.5 - 1, "SAME" padding, ReLU6; RGB pixels in, the last features out."""
    index = 0

    def convolve(x: Tensor, stride: int = 1, *, depthwise: bool = False, active: bool = True) -> Tensor:
        nonlocal index
        weight, bias = tensors[f"{index:02d}.weight"].float(), tensors[f"{index:02d}.bias"]
        index += 1
        kernel, size = weight.shape[-1], x.shape[-1]
        spare = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        before = spare // 2
        x = F.pad(x, (before, spare - before, before, spare - before))
        x = F.conv2d(x, weight, bias, stride, groups=x.shape[1] if depthwise else 1)
        return x.clamp(0, 6) if active else x

    x = convolve(pixels / 127.5 - 1, 2)
    for expansion, _, count, stride in STAGES:
        for block in range(count):
            y = convolve(x) if expansion > 1 else x
            y = convolve(y, stride if block == 0 else 1, depthwise=True)
            y = convolve(y, active=False)
            x = x + y if block > 0 else y
    return x


def test_its_size_and_cost_are_the_papers() -> None:
    network = MobileNetV2()
    assert weights(network) == 1_780_160
    assert weights(network) + 320 * 1280 + 1280 * 1000 == pytest.approx(3.47e6, rel=0.002)
    assert macs(network, 224, 224) + 7 * 7 * 320 * 1280 + 1280 * 1000 == pytest.approx(300e6, rel=0.005)


def test_features_come_at_four_strides() -> None:
    with torch.inference_mode():
        features = MobileNetV2().eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(f.shape[1:]) for f in features] == [(24, 16, 24), (32, 8, 12), (96, 4, 6), (320, 2, 3)]


def test_folded_weights_mean_what_they_meant_in_tensorflow(folded: Path) -> None:
    pixels = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 255
    # TensorFlow's own normalisation, so that a border of zeros is the same grey in both.
    grey = torch.full((3,), 127.5)
    network = MobileNetV2()
    load_backbone(network, folded, pixels / 127.5 - 1, grey, grey)
    tensors = torch.load(folded, weights_only=True)
    with torch.inference_mode():
        found, expected = network.eval()(pixels / 127.5 - 1)[-1], _as_tensorflow_computes(tensors, pixels)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def test_they_take_images_of_another_normalisation(folded: Path) -> None:
    pixels = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 255
    images = (pixels - MEAN[:, None, None]) / STD[:, None, None]
    network = MobileNetV2()
    load_backbone(network, folded, images, MEAN, STD)
    tensors = torch.load(folded, weights_only=True)
    with torch.inference_mode():
        found = network.eval().stem(images)
        x = F.pad(pixels / 127.5 - 1, (0, 1, 0, 1))
        expected = F.conv2d(x, tensors["00.weight"].float(), tensors["00.bias"], 2).clamp(0, 6)
    # The border of zeros alone, which the last row and column see, is another grey.
    torch.testing.assert_close(found[..., :-1, :-1], expected[..., :-1, :-1], rtol=1e-3, atol=1e-3)


def test_a_loaded_network_still_computes_that_when_it_begins_to_train(folded: Path) -> None:
    images = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    network = MobileNetV2()
    load_backbone(network, folded, images, MEAN, STD)
    with torch.no_grad():
        expected = network.eval()(images)[-1]
        torch.testing.assert_close(network.train()(images)[-1], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kept", [10, 0])
def test_weights_of_another_network_are_named(folded: Path, tmp_path: Path, kept: int) -> None:
    tensors = torch.load(folded, weights_only=True)
    other = tmp_path / "other.pt"
    torch.save(dict(list(tensors.items())[:kept]), other)
    with pytest.raises(EdgesegError, match=rf"other\.pt: layer {kept // 2:02d} is not MobileNetV2 1\.0's"):
        load_backbone(MobileNetV2(), other, torch.randn(1, 3, 32, 32), MEAN, STD)


def test_a_file_that_holds_no_tensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_text("not weights")
    with pytest.raises(EdgesegError, match=r"weights\.pt: no tensors that can be read"):
        load_backbone(MobileNetV2(), path, torch.randn(1, 3, 32, 32), MEAN, STD)
