"""How sure the network is: a probability at each pixel, a half where two classes meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edgeseg import load
from edgeseg.runtime.segmenter import SemanticSegmenter
from edgeseg.vision.confidence import confidence


def test_it_is_the_largest_of_the_upsampled_probabilities() -> None:
    logits = np.random.default_rng(1).normal(0, 4, (5, 12, 18)).astype(np.float32)
    probabilities = torch.from_numpy(logits).softmax(dim=0)[None]
    upsampled = torch.nn.functional.interpolate(probabilities, (97, 145), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(confidence(logits, 97, 145), upsampled[0].amax(dim=0).numpy(), atol=1e-5)


def test_it_is_certain_inside_and_a_half_where_two_classes_meet() -> None:
    logits = np.zeros((2, 1, 2), np.float32)
    logits[0, 0, 0] = logits[1, 0, 1] = 1000  # no overflow, either
    (row,) = confidence(logits, 1, 32)
    assert row[0] == row[-1] == 1
    assert row[15] == pytest.approx(row[16])
    assert 0.5 <= row[15] < 0.6


def test_a_network_that_knows_nothing_is_as_sure_as_a_guess() -> None:
    np.testing.assert_allclose(confidence(np.full((4, 3, 3), 7, np.float32), 20, 30), 0.25)


def test_a_result_knows_it_on_every_engine(bundle_folder: Path, bars: np.ndarray) -> None:
    for engine in ("onnxruntime", "openvino"):
        with load(bundle_folder, engine=engine, precision="fp32") as segmenter:
            assert isinstance(segmenter, SemanticSegmenter)
            masks = segmenter(bars)
            logits = segmenter.logits(bars)
        assert masks.confidence is not None
        assert masks.confidence.shape == masks.labels.shape
        np.testing.assert_array_equal(masks.confidence, confidence(logits, *masks.labels.shape))
        assert 1 / 3 < masks.confidence.min() < masks.confidence.max() <= 1
