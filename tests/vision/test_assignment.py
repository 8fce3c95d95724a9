"""The assignment is the cheapest of all, and everybody has at most one partner."""

from __future__ import annotations

from itertools import permutations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.vision.assignment import assign


def least_sum(cost: np.ndarray) -> float:
    """By trying them all."""
    low = cost if cost.shape[0] <= cost.shape[1] else cost.T
    return min(sum(low[range(len(low)), columns]) for columns in map(list, permutations(range(low.shape[1]), len(low))))


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(-9, 9)),
        hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(-2, 2)),
    )
)
def test_no_other_assignment_costs_less(cost: np.ndarray) -> None:
    before = cost.copy()
    rows, columns = assign(cost)
    assert len(rows) == len(columns) == len(set(columns)) == min(cost.shape)
    assert (np.diff(rows) > 0).all()
    assert cost[rows, columns].sum() == pytest.approx(least_sum(cost), abs=1e-9)
    assert (cost == before).all()


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nobody_has_a_partner_among_none(shape: tuple[int, int]) -> None:
    rows, columns = assign(np.zeros(shape))
    assert rows.shape == columns.shape == (0,)
    assert rows.dtype == columns.dtype == np.int64


def test_a_permutation_of_two_hundred_is_found() -> None:
    wanted = np.random.default_rng(0).permutation(200)
    cost = np.random.default_rng(1).random((200, 200)).astype(np.float32)
    cost[np.arange(200), wanted] -= 1
    rows, columns = assign(cost)
    assert (rows == np.arange(200)).all()
    assert (columns == wanted).all()
