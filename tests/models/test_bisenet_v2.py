"""BiSeNet V2 is the paper's: its layers, its cost, what its boosters see; and it trains and exports whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edgeseg.models import build_model
from edgeseg.models.bisenet_v2 import BiSeNetV2, ContextEmbedding, GatherExpansion, GuidedAggregation
from edgeseg.train.checkpoint import About
from edgeseg.train.export import Deployed, checked_outputs, to_onnx
from edgeseg.train.losses import AuxiliaryHeads
from edgeseg.train.normalise import Normalise
from tests.models import counting


@pytest.fixture(scope="module")
def network() -> BiSeNetV2:
    """For 5 classes, with the running means of a network that has seen an image."""
    torch.manual_seed(1)
    network = BiSeNetV2(5).train()
    with torch.no_grad():
        network(torch.randn(2, 3, 32, 64))
    return network.eval()


def test_it_has_the_weights_that_the_docstring_names() -> None:
    assert counting.weights(BiSeNetV2(19)) == 3_341_280
    assert counting.weights(BiSeNetV2(11)) == 3_333_088
    assert counting.norm_weights(BiSeNetV2(11)) == 17_072
    assert BiSeNetV2.__doc__ is not None
    assert "3.33 M" in BiSeNetV2.__doc__
    assert "3,341,280" in BiSeNetV2.__doc__
    assert "17,072" in BiSeNetV2.__doc__


def test_multiply_accumulates_are_the_ones_that_the_docstring_names() -> None:
    assert counting.macs(BiSeNetV2(11), 384, 576) == 10_351_220_224
    assert counting.macs(BiSeNetV2(19), 512, 1024) == 24_603_312_128
    assert BiSeNetV2.__doc__ is not None
    assert "10.35 G" in BiSeNetV2.__doc__
    assert "24.60 G at 1024x512" in BiSeNetV2.__doc__


def test_the_detail_branch_alone_costs_what_the_papers_table_1_adds_up_to() -> None:
    stages = [(27 + 576, 64, 256 * 512), (3 * 576, 64, 128 * 256), (576 + 2 * 1152, 128, 64 * 128)]
    assert counting.macs(BiSeNetV2(19).detail, 512, 1024) == sum(k * c * pixels for k, c, pixels in stages)


def test_it_is_built_by_name() -> None:
    assert isinstance(build_model("bisenetv2", 5), BiSeNetV2)


def test_the_stages_have_the_papers_shapes(network: BiSeNetV2) -> None:
    with torch.inference_mode():
        detail, *semantic = network.features(torch.zeros(1, 3, 64, 96))
    assert detail.shape == (1, 128, 8, 12)
    assert [tuple(stage.shape[1:]) for stage in semantic] == [(16, 16, 24), (32, 8, 12), (64, 4, 6), (128, 2, 3)]
    assert network.feature_channels == (0, *(stage.shape[1] for stage in semantic))


@pytest.mark.parametrize(("height", "width"), [(96, 64), (32, 160), (64, 64)])
def test_logits_come_raw_at_an_eighth_of_the_input(network: BiSeNetV2, height: int, width: int) -> None:
    image = torch.randn(1, 3, height, width)
    with torch.inference_mode():
        logits = network(image)
        assert logits.shape == (1, 5, height // network.stride, width // network.stride)
        assert logits.min() < 0, "raw logits, not probabilities"
        torch.testing.assert_close(network.classify(*network.features(image)), logits)


def test_the_loss_reaches_every_parameter_and_a_head_fits_every_stage() -> None:
    torch.manual_seed(1)
    network = BiSeNetV2(5).train()
    features = network.features(torch.randn(2, 3, 64, 64))
    guesses = AuxiliaryHeads(network.feature_channels, 5)(*features)
    assert [guess.shape[-1] for guess in guesses] == [16, 8, 4, 2]
    network.classify(*features).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_gather_and_expansion_layer_keeps_the_input_when_its_block_says_nothing() -> None:
    layer = GatherExpansion(8, 8).eval()
    norms = [norm for norm in layer.block.modules() if isinstance(norm, nn.BatchNorm2d)]
    nn.init.zeros_(norms[-1].weight)
    x = torch.rand(1, 8, 4, 6)
    torch.testing.assert_close(layer(x), x)
    assert GatherExpansion(8, 12, stride=2).eval()(x).shape == (1, 12, 2, 3)


def test_context_embedding_carries_one_corner_to_the_opposite_one(network: BiSeNetV2) -> None:
    embed = network.embed
    assert isinstance(embed, ContextEmbedding)
    x = torch.rand(1, 128, 8, 8)
    changed = x.clone()
    changed[..., 0, 0] += 50.0
    with torch.inference_mode():
        assert (embed(changed) - embed(x))[..., -1, -1].abs().max() > 1e-3


def test_in_the_aggregation_the_semantic_branch_gates_the_details_at_both_sizes() -> None:
    layer = GuidedAggregation(8).eval()
    semantic = torch.rand(1, 8, 2, 3)
    detail, other = torch.rand(2, 1, 8, 8, 12)
    with torch.inference_mode():
        assert not torch.allclose(layer(detail, semantic), layer(other, semantic))
        _shut(layer.semantic_fine)
        assert not torch.allclose(layer(detail, semantic), layer(other, semantic)), "the coarse gate is still open"
        _shut(layer.semantic_coarse)
        torch.testing.assert_close(layer(detail, semantic), layer(other, semantic))


def _shut(gate: nn.Module) -> None:
    """Makes a branch far below 0 everywhere, of which the sigmoid is 0."""
    for layer in gate.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.zeros_(layer.weight)
            nn.init.constant_(layer.bias, -1000.0)
        elif isinstance(layer, nn.Conv2d):
            nn.init.ones_(layer.weight)


def test_the_exported_graph_gives_the_same_logits(network: BiSeNetV2) -> None:
    classes = tuple("abcde")
    about = About("bisenetv2", classes, tuple((i, i, i) for i in range(5)), (96, 64), "none", {})
    deployed = Deployed(network).eval()
    image = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    logits = checked_outputs(to_onnx(deployed, about, "test"), network, image)["logits"]
    with torch.inference_mode():
        expected = network(Normalise()(torch.from_numpy(image)[None])).numpy()
    # Weights are stored as halves.
    np.testing.assert_allclose(logits, expected, atol=5e-3 * float(np.abs(expected).max()))
