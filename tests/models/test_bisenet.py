"""BiSeNet V1 is the paper's on MobileNetV2: its size and cost, its two paths, and where it is supervised."""

from __future__ import annotations

import pytest
import torch

from edgeseg.models import build_model
from edgeseg.models.bisenet import AttentionRefinement, BiSeNetMobileNetV2, FeatureFusion
from tests.models.counting import macs, norm_weights, weights


@pytest.fixture(scope="module")
def network() -> BiSeNetMobileNetV2:
    torch.manual_seed(0)
    return BiSeNetMobileNetV2(11).eval()


def test_its_size_and_cost_are_the_docstrings(network: BiSeNetMobileNetV2) -> None:
    assert weights(network) == 2_965_824
    assert norm_weights(network) == 34_624
    assert macs(network, 384, 576) == 3_968_119_808
    assert BiSeNetMobileNetV2.__doc__ is not None
    assert "2.97 M" in BiSeNetMobileNetV2.__doc__
    assert "3.97 G" in BiSeNetMobileNetV2.__doc__


def test_the_paths_have_the_papers_shapes(network: BiSeNetMobileNetV2) -> None:
    with torch.inference_mode():
        fine, context, coarse = network.features(torch.zeros(1, 3, 64, 96))
    assert fine.shape == context.shape == (1, 128, 8, 12)
    assert coarse.shape == (1, 128, 4, 6)
    assert network.feature_channels == (0, 128, 128)


def test_logits_come_raw_at_an_eighth_of_the_input() -> None:
    network = build_model("bisenet-mobilenetv2", 2).eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, 3, 64, 160))
    assert logits.shape == (1, 2, 8, 20)
    assert logits.min() < 0, "raw logits, not probabilities"


def test_the_loss_reaches_every_parameter() -> None:
    network = BiSeNetMobileNetV2(5).train()
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    unreached = [name for name, p in network.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert not unreached


def test_the_whole_image_is_context_for_each_of_its_pixels(network: BiSeNetMobileNetV2) -> None:
    image = torch.zeros(1, 3, 256, 256)
    changed = image.clone()
    changed[..., :32, :32] = 3.0
    with torch.inference_mode():
        # Convolutions alone reach less far than from one corner to the opposite one.
        assert (network.features(changed)[1] - network.features(image)[1])[..., -1, -1].abs().max() > 0


def test_attention_weighs_a_channel_alike_everywhere() -> None:
    refine = AttentionRefinement(4, 4).eval()
    with torch.inference_mode():
        x = torch.rand(1, 4, 6, 6) + 0.5
        plain = refine.conv(x)
        ratio = refine(x)[plain > 1e-3] / plain[plain > 1e-3]
        per_channel = refine.attend(plain.mean((2, 3), keepdim=True)).sigmoid().expand_as(plain)[plain > 1e-3]
    torch.testing.assert_close(ratio, per_channel)
    assert ratio.min() > 0 and ratio.max() < 1


def test_fusion_adds_attended_features_to_the_mixed_ones() -> None:
    fuse = FeatureFusion(8, 8).eval()
    with torch.inference_mode():
        x = torch.rand(1, 8, 4, 4)
        mixed, fused = fuse.mix(x), fuse(x)
    assert (fused >= mixed).all()
    assert (fused <= 2 * mixed + 1e-6).all()
