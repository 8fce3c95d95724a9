"""The loss leaves unlabelled pixels out, weights classes, and never becomes NaN by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edgeseg.data.classes import IGNORE_ID
from edgeseg.train.losses import class_weights, pixel_loss

EVEN = torch.ones(3)


def test_it_is_the_mean_cross_entropy_at_the_labels_size() -> None:
    labels = torch.randint(0, 3, (2, 8, 8))
    labels[0] = IGNORE_ID
    assert pixel_loss(torch.zeros(2, 3, 4, 4), labels, EVEN).item() == pytest.approx(np.log(3), rel=1e-5)


def test_pixels_that_nobody_judges_change_nothing() -> None:
    logits = torch.randn(1, 3, 8, 8)
    labels = torch.randint(0, 3, (1, 8, 8))
    labels[:, :, 4:] = IGNORE_ID
    whole = pixel_loss(logits, labels, EVEN)
    logits[:, :, :, 4:] = 100.0 * torch.randn(1, 3, 8, 4)
    assert pixel_loss(logits, labels, EVEN).item() == pytest.approx(whole.item())


def test_a_batch_without_a_judged_pixel_costs_nothing() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = pixel_loss(logits, torch.full((1, 4, 4), IGNORE_ID), EVEN)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_rare_classes_weigh_more_and_the_mean_pixel_weighs_one() -> None:
    counts = np.array([9000, 900, 100])
    weights = class_weights(counts, 0.5).numpy()
    assert weights[2] / weights[0] == pytest.approx(np.sqrt(90), rel=1e-4)
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
    assert class_weights(counts, 0).tolist() == [1, 1, 1]
