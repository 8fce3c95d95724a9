"""Images made worse, and labels that flicker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.core.masks import SemanticMask
from edgeseg.profile.flicker import measure_flicker
from edgeseg.profile.robustness import STRENGTHS, corrupt, measure_robustness
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.synthetic import Street


@pytest.fixture(scope="module")
def street() -> Street:
    return Street(3, 160, 96)


class Answering:
    """A segmenter of the street's classes that answers each image as it is told to."""

    def __init__(self, answer: Any) -> None:
        self.bundle = SimpleNamespace(classes=STREET_CLASSES, ignore_id=255)
        self._answer, self._seen = answer, 0

    def __call__(self, image: np.ndarray) -> SemanticMask:
        self._seen += 1
        return SemanticMask(self._answer(image, self._seen).astype(np.uint8), STREET_CLASSES)


def answering(answer: Any) -> SemanticSegmenter:
    return cast(SemanticSegmenter, Answering(answer))


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_strength_is_farther_from_the_image_than_the_one_before(street: Street, name: str) -> None:
    image = street.render(5).image
    given = image.copy()
    apart = [np.abs(corrupt(image, name, strength, 0).astype(int) - image).mean() for strength in range(1, 6)]
    assert apart == sorted(apart) and apart[0] > 0
    assert (image == given).all()
    assert (corrupt(image, name, 3, 7) == corrupt(image, name, 3, 7)).all()


def test_what_only_knows_bright_from_dark_fails_in_the_dark_and_not_in_jpeg() -> None:
    rows = np.arange(64) < 32
    labels = np.where(rows[:, None], 0, 3).repeat(96, axis=1).astype(np.uint8)
    image = np.where(labels[..., None] == 0, 220, 40).repeat(3, axis=2).astype(np.uint8)
    samples = [("sky over road", image, labels)] * 2
    found = measure_robustness(answering(lambda seen, _: np.where(seen.mean(axis=2) > 128, 0, 3)), cast(Any, samples))
    assert found["images"] == 2 and found["clean"] == 1.0
    assert found["corrupted"]["jpeg"][4] > 0.9
    assert found["corrupted"]["dark"][0] > found["corrupted"]["dark"][4] < 0.5


def test_an_answer_that_stands_still_does_not_flicker_and_one_that_alternates_does_everywhere(street: Street) -> None:
    still = measure_flicker(answering(lambda image, _: np.full(image.shape[:2], 3)), street, 3)
    restless = measure_flicker(answering(lambda image, turn: np.full(image.shape[:2], turn % 2)), street, 3)
    assert still is not None and restless is not None
    assert (still["share"], still["steady_share"]) == (0.0, 0.0)
    assert (restless["share"], restless["steady_share"]) == (1.0, 1.0)


def test_pixels_whose_truth_moved_do_not_count(street: Street) -> None:
    truths = [street.render(index).labels for index in range(3)]
    assert (truths[0] != truths[1]).any()
    truth = measure_flicker(answering(lambda image, turn: truths[turn - 1]), street, 3)
    assert truth is not None
    assert truth["share"] == 0.0
