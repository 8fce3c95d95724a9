"""How far an engine's answer to the golden frame is from the bundle's."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.runtime.golden import _distance

RNG = np.random.default_rng(0)
EXPECTED = {name: RNG.normal(3, 2, (1, 50, 40)).astype(np.float32) for name in ("boxes", "scores", "prototypes")}


def test_the_outputs_count_alike_each_in_its_own_deviations() -> None:
    spread = EXPECTED["prototypes"].std()
    off = {**EXPECTED, "prototypes": EXPECTED["prototypes"] + np.float32(0.3) * spread}
    assert _distance(off, EXPECTED) == pytest.approx(0.3 / 3, rel=1e-3)
    assert _distance(EXPECTED, EXPECTED) == 0


def test_values_that_the_golden_frame_left_out_are_not_compared() -> None:
    thinned = {name: value.copy() for name, value in EXPECTED.items()}
    thinned["scores"][:, ::2] = np.nan
    answer = {**EXPECTED, "scores": np.where(np.isnan(thinned["scores"]), 1e6, EXPECTED["scores"]).astype(np.float32)}
    assert _distance(answer, thinned) == 0


@pytest.mark.parametrize("wrong", [None, np.zeros((1, 50, 41), np.float32), np.full((1, 50, 40), np.nan, np.float32)])
def test_an_output_that_is_missing_of_another_shape_or_no_number_is_never_right(wrong: np.ndarray | None) -> None:
    answer = {name: value for name, value in EXPECTED.items() if name != "scores"}
    if wrong is not None:
        answer["scores"] = wrong
    assert _distance(answer, EXPECTED) == float("inf")
