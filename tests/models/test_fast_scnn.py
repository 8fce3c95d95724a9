"""Fast-SCNN is the paper's: its size, its cost, its stride; and pyramid pooling averages what it says it does."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from edgeseg.core.errors import UsageError
from edgeseg.models import build_model
from edgeseg.models.fast_scnn import FastSCNN
from edgeseg.models.layers import PyramidPooling, _averaged, upsample
from tests.models import counting


def test_it_has_the_papers_1_11_million_weights() -> None:
    network = FastSCNN(19)
    assert counting.weights(network) == 1_114_096
    assert counting.norm_weights(network) == 23_680


def test_the_stages_have_the_papers_shapes() -> None:
    fine, deep = FastSCNN(11).eval().features(torch.zeros(1, 3, 384, 576))
    assert fine.shape == (1, 64, 48, 72)
    assert deep.shape == (1, 128, 12, 18)


def test_multiply_accumulates_are_the_ones_that_the_docstring_names() -> None:
    assert counting.macs(FastSCNN(11), 384, 576) == 704_302_592
    assert FastSCNN.__doc__ is not None
    assert "0.70 G" in FastSCNN.__doc__


@pytest.mark.parametrize(("height", "width"), [(384, 576), (352, 480), (96, 160)])
def test_logits_come_raw_at_an_eighth_of_the_input(height: int, width: int) -> None:
    torch.manual_seed(0)
    network = build_model("fast-scnn", 5).eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, 3, height, width))
    assert logits.shape == (1, 5, height // network.stride, width // network.stride)
    assert logits.min() < 0, "raw logits, not probabilities"


def test_pyramid_pooling_adds_the_mean_of_the_whole_picture_to_each_pixel() -> None:
    pooling = PyramidPooling(4, 4, bins=(1,)).eval()
    x = torch.rand(1, 4, 6, 6)
    with torch.inference_mode():
        mean = pooling.branches[0](x.mean((2, 3), keepdim=True))
        expected = pooling.fuse(torch.cat([x, mean.expand(-1, -1, 6, 6)], 1))
        torch.testing.assert_close(pooling(x), expected)


def test_upsampling_does_not_align_corners() -> None:
    row = upsample(torch.tensor([[[[0.0, 1.0]]]]), (1, 4))
    assert row.flatten().tolist() == [0.0, 0.25, 0.75, 1.0]


def test_an_unknown_network_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no network 'fast-scn': did you mean fast-scnn\?"):
        build_model("fast-scn", 11)


@pytest.mark.parametrize("size", [(15, 20), (7, 9), (12, 18)])
def test_pyramid_pooling_takes_any_size(size: tuple[int, int]) -> None:
    x = torch.rand(2, 4, *size, dtype=torch.float64)
    for bins in (1, 2, 3, 6):
        torch.testing.assert_close(_averaged(x, bins), F.adaptive_avg_pool2d(x, bins))
