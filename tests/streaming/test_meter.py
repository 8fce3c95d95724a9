"""The figures of a run are of its newest results, however long it goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.streaming.ledger import Ledger
from edgeseg.streaming.meter import KEPT, Meter


@given(st.lists(st.floats(0.001, 10_000), min_size=1, max_size=50))
def test_percentiles_are_over_all_results_of_a_short_run(stages: list[float]) -> None:
    meter = Meter()
    for milliseconds in stages:
        meter.add_stages({"tail": milliseconds})
    told = meter.figures(Ledger().counts())["stage_ms"]["tail"]
    assert told["p50"] == pytest.approx(np.median(stages), rel=1e-5)
    assert told["p99"] == pytest.approx(np.percentile(stages, 99), rel=1e-5)


def test_percentiles_are_over_the_newest_results_of_a_long_run() -> None:
    meter = Meter()
    for _ in range(1000):
        meter.add_stages({"engine": 100.0})
    for _ in range(KEPT - 1):
        meter.add_stages({"engine": 5.0})
    told = meter.figures(Ledger().counts())
    assert told["stage_ms"]["engine"] == {"p50": 5.0, "p95": 5.0, "p99": 5.0}
    assert told["engine_fps"] == 200


def test_a_run_without_a_result_says_nothing_of_time() -> None:
    told = Meter().figures(Ledger().counts())
    assert told["latency_ms"] == {"p50": None, "p95": None, "p99": None, "max": None}
    assert told["fps"] is None and told["engine_fps"] is None
    assert told["stage_ms"] == {}
