"""The label map is the argmax of torch's bilinear upsample, on every pixel, ties apart."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.core.catalog import open_bundle
from edgeseg.vision.decode import decode


def assert_is_argmax_of_the_upsampled(logits: np.ndarray, height: int, width: int) -> None:
    upsampled = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None], size=(height, width), mode="bilinear", align_corners=False
    )[0].numpy()
    labels = decode(logits, height, width)
    assert labels.shape == (height, width)
    assert labels.dtype == np.uint8
    lead = upsampled.max(axis=0) - np.take_along_axis(upsampled, labels[None].astype(np.int64), axis=0)[0]
    assert lead.max() <= 4e-6 * max(1.0, float(np.abs(logits).max()))


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=9),
        elements=st.floats(-10, 10, width=32),
    ),
    st.integers(1, 70),
    st.integers(1, 70),
)
def test_any_logits_at_any_size(logits: np.ndarray, height: int, width: int) -> None:
    assert_is_argmax_of_the_upsampled(logits, height, width)


@pytest.mark.parametrize("size", [(720, 1280), (360, 480), (384, 576), (48, 72), (31, 47)])
def test_many_classes_that_change_slowly(size: tuple[int, int]) -> None:
    coarse = torch.from_numpy(np.random.default_rng(3).normal(size=(1, 11, 9, 13)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(48, 72), mode="bicubic")[0].numpy()
    assert_is_argmax_of_the_upsampled(smooth, *size)


def test_a_class_that_leads_at_no_corner_may_lead_inside() -> None:
    compromise = np.array([[[1.0, -1.0]], [[-1.0, 1.0]], [[0.4, 0.4]]], dtype=np.float32)
    assert 2 in decode(compromise, 20, 20)
    assert_is_argmax_of_the_upsampled(compromise, 20, 20)


def test_trained_logits_at_720p() -> None:
    _, golden = open_bundle("fast-scnn-street").golden()
    logits = golden["logits"][0]
    assert_is_argmax_of_the_upsampled(logits, 720, 1280)
    assert len(np.unique(decode(logits, 720, 1280))) > 5
