"""Percentiles of what was measured in rounds, and how sure they are.

The bootstrap draws rounds first, then runs of neighbouring samples out of them (Kuensch 1989's moving blocks, in a hierarchy
as in Davison and Hinkley 1997, section 3.8): neighbouring frames are alike, and so are the frames of one round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeseg.profile.rows import Interval, PercentileIntervals, Percentiles, StagePercentiles

DRAWS = 1000
SEED = 20260101
LEAST = 8
"""Fewer samples than this have no interval."""

Rounds = Sequence[Sequence[float]]
"""The samples of each round, in the order in which they were taken."""


def pooled(rounds: Rounds) -> NDArray[np.float64]:
    """Returns the samples of all rounds, float64 [N]."""
    return np.array([value for samples in rounds for value in samples], float)


def percentiles(rounds: Rounds) -> Percentiles:
    """Returns p50, p95, p99 and max of all samples together; None without any."""
    values = pooled(rounds)
    if not values.size:
        return {"p50": None, "p95": None, "p99": None, "max": None}
    p50, p95, p99, most = np.percentile(values, (50, 95, 99, 100)).tolist()
    return {"p50": p50, "p95": p95, "p99": p99, "max": most}


def stage_percentiles(rounds: Rounds) -> StagePercentiles:
    """The same without the maximum."""
    found = percentiles(rounds)
    return {"p50": found["p50"], "p95": found["p95"], "p99": found["p99"]}


def percentile_intervals(rounds: Rounds) -> PercentileIntervals:
    """Returns the 95 % intervals of `percentiles`. That of a maximum ends at the maximum: no sample tells of what lies beyond."""
    draws = resampled(rounds)
    if draws is None:
        return {"p50": None, "p95": None, "p99": None, "max": None}
    p50, p95, p99, most = (_middle(drawn) for drawn in np.percentile(draws, (50, 95, 99, 100), axis=1))
    return {"p50": p50, "p95": p95, "p99": p99, "max": most}


def interval(rounds: Rounds, figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Interval | None:
    """Returns the 95 % interval of a figure, which maps float64 [draws, N] to [draws]; None of too few samples."""
    draws = resampled(rounds)
    return None if draws is None else _middle(figure(draws))


def resampled(rounds: Rounds) -> NDArray[np.float64] | None:
    """Returns float64 [DRAWS, N], the samples as other rounds might have given them; None of fewer than LEAST samples."""
    kept = [np.asarray(samples, float) for samples in rounds if len(samples)]
    count = sum(len(samples) for samples in kept)
    if count < LEAST:
        return None
    random = np.random.default_rng(SEED)
    sizes = np.array([len(samples) for samples in kept])
    begins = np.cumsum(sizes) - sizes
    length = max(1, min(int(sizes.min()), round(count ** (1 / 3))))
    blocks = -(-count // (len(kept) * length))
    places = random.integers(len(kept), size=(DRAWS, len(kept), 1))
    starts = (random.random((DRAWS, len(kept), blocks)) * (sizes[places] - length + 1)).astype(int) + begins[places]
    chosen = (starts[..., None] + np.arange(length)).reshape(DRAWS, -1)[:, :count]
    return np.concatenate(kept)[chosen]


def _middle(figures: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(figures, (2.5, 97.5)).tolist()
    return low, high
