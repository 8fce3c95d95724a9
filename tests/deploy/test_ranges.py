"""A range is chosen from a histogram that stays exact while it grows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgeseg.deploy.gate import fewest_in_float
from edgeseg.deploy.ranges import BINS, METHODS, SMALLEST, Magnitudes, entropy, minmax, percentile

SOME = arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e4, 1e4, width=32))


@settings(deadline=None)
@given(st.lists(SOME, min_size=1, max_size=6))
def test_nothing_is_lost_while_it_grows_and_no_range_exceeds_the_peak(batches: list[np.ndarray]) -> None:
    seen = Magnitudes()
    for batch in batches:
        seen.add(batch)
    everything = np.abs(np.concatenate(batches))
    assert seen.counts.sum() == np.count_nonzero(everything >= SMALLEST)
    assert minmax(seen) == max(everything[everything >= SMALLEST], default=0)
    for choose in METHODS.values():
        assert 0 <= choose(seen) <= seen.peak


@settings(deadline=None)
@given(st.lists(SOME, min_size=1, max_size=6), st.integers(1, 99))
def test_a_percentile_is_within_a_bin_of_numpys(batches: list[np.ndarray], percent: int) -> None:
    seen = Magnitudes()
    for batch in batches:
        seen.add(batch)
    magnitudes = np.abs(np.concatenate(batches))
    magnitudes = magnitudes[magnitudes >= SMALLEST]
    if magnitudes.size:
        right = np.percentile(magnitudes, percent, method="inverted_cdf")
        assert abs(percentile(seen, percent) - right) <= 1.01 * seen.limit / BINS


def test_entropy_clips_a_far_outlier_and_keeps_an_even_spread() -> None:
    random = np.random.default_rng(3)
    even, lonely = Magnitudes(), Magnitudes()
    even.add(random.uniform(-1, 1, 200_000).astype(np.float32))
    lonely.add(random.normal(0, 1, 200_000).astype(np.float32))
    lonely.add(np.array([60], np.float32))
    assert entropy(even) == pytest.approx(1, abs=0.07)
    assert 3 < entropy(lonely) < 12
    assert minmax(lonely) == 60


@settings(deadline=None)
@given(st.integers(2, 120), st.integers(0, 130))
def test_the_fewest_layers_that_hold_are_found(layers: int, needed: int) -> None:
    asked: list[int] = []

    def holds(count: int) -> bool:
        asked.append(count)
        return count >= needed

    found = fewest_in_float(layers, holds)
    assert found == (max(needed, 1) if max(needed, 1) <= layers // 2 else None)
    assert len(set(asked)) == len(asked) <= 14
