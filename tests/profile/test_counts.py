"""Figures that can be known beforehand: multiply-accumulates, percentiles and their intervals, sensors, the roofline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.core.catalog import open_bundle
from edgeseg.profile import load, statistics
from edgeseg.profile.judging import miou_interval
from edgeseg.profile.network import count_network
from edgeseg.profile.roofline import measure_peak, place


@pytest.mark.parametrize(
    ("model", "giga_macs", "mega_parameters"),
    [("bisenet-mobilenetv2-street", 3.97, 2.98), ("fast-scnn-street", 0.70, 1.12)],
)
def test_counts_a_network_as_it_is_known(model: str, giga_macs: float, mega_parameters: float) -> None:
    bundle = open_bundle(model)
    counted = count_network(bundle.file(bundle.graphs["fp32"]), "fp32")
    assert counted["macs"] / 1e9 == pytest.approx(giga_macs, abs=0.005)
    assert counted["parameters"] / 1e6 == pytest.approx(mega_parameters, abs=0.006)


def test_counts_the_test_bundles_one_convolution_by_hand(bundle_folder: Path) -> None:
    graph = bundle_folder / "model.fp32.onnx"
    counted = count_network(graph, "fp32")
    # 8x12 cells, 3 classes, 8x8 pixels of 3 colours; its weights and biases; what it reads and writes.
    assert counted["macs"] == 8 * 12 * 3 * 8 * 8 * 3
    assert counted["parameters"] == 3 * 3 * 8 * 8 + 3
    assert counted["bytes_moved"] == 4 * (3 * 64 * 96 + 576 + 3 + 3 * 8 * 12)
    assert count_network(graph, "int8")["bytes_moved"] == counted["bytes_moved"] // 4


def test_an_interval_holds_the_median_and_a_constant_has_none_of_width() -> None:
    samples = np.random.default_rng(1).gamma(4, 5, (3, 200))
    found = statistics.percentile_intervals(samples.tolist())["p50"]
    assert found is not None
    assert found[0] < statistics.percentiles(samples.tolist())["p50"] < found[1]  # type: ignore[operator]
    assert statistics.percentile_intervals([[7.0] * 20])["p95"] == (7.0, 7.0)
    assert statistics.percentile_intervals([[1.0, 2.0]])["p50"] is None


def test_neighbours_that_are_alike_and_rounds_that_differ_make_an_interval_wider() -> None:
    def width(rounds: np.ndarray) -> float:
        low, high = statistics.percentile_intervals(rounds.tolist())["p50"] or (0, 0)
        return high - low

    random = np.random.default_rng(2)
    alone = random.normal(10, 1, (3, 120))
    runs = np.repeat(random.normal(10, 1, (1, 36)), 10, axis=1)
    assert width(runs) > 1.5 * width(random.permuted(runs, axis=1))
    assert width(alone + np.array([[0], [2], [4]])) > 3 * width(alone)


def test_the_interval_of_an_miou_holds_it() -> None:
    random = np.random.default_rng(3)
    counts = random.integers(0, 20, (40, 3, 3)) + 100 * np.eye(3, dtype=np.int64)
    whole = counts.sum(0)
    hits = np.diag(whole)
    miou = float(np.mean(hits / (whole.sum(0) + whole.sum(1) - hits)))
    low, high = miou_interval(counts) or (1.0, 0.0)
    assert low < miou < high < low + 0.05
    assert miou_interval(counts[:7]) is None


def test_the_roofline_tells_arithmetic_from_memory(tmp_path: Path) -> None:
    peak = measure_peak("onnxruntime", "fp32", 1, tmp_path)
    assert peak > 0.1
    many = {"parameters": 1, "macs": 10**9, "bytes_moved": 10**6, "graph_bytes": 1}
    dense = place(many, 10.0, 400.0, 20.0)  # type: ignore[arg-type]
    assert (dense["bound"], dense["gflops"], dense["limit_gflops"]) == ("arithmetic", 200.0, 400.0)
    sparse = place({**many, "bytes_moved": 10**9}, 10.0, 400.0, 20.0)  # type: ignore[arg-type, typeddict-item]
    assert (sparse["bound"], sparse["limit_gflops"]) == ("memory", 40.0)


def test_power_is_read_where_the_machine_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "POWERCAP", tmp_path)
    monkeypatch.setattr(load, "I2C", tmp_path)
    assert load.package_joules() is None and load.module_watts() is None
    for zone, joules in (("intel-rapl:0", 2_000_000), ("intel-rapl:1", 3_000_000), ("intel-rapl:0:0", 9_000_000)):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "energy_uj").write_text(f"{joules}\n")
    assert load.package_joules() == 5.0
    rails = tmp_path / "1-0040" / "hwmon" / "hwmon3"
    rails.mkdir(parents=True)
    for name, text in (
        ("in1_label", "VDD_IN"),
        ("in1_input", "5000"),
        ("curr1_input", "2400"),
        ("in2_label", "VDD_CPU"),
    ):
        (rails / name).write_text(f"{text}\n")
    assert load.module_watts() == 12.0


def test_load_is_measured_and_what_is_not_told_is_null(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "POWERCAP", tmp_path)
    monkeypatch.setattr(load, "I2C", tmp_path)
    with load.LoadMeter() as meter:
        sum(i * i for i in range(300_000))
    figures = meter.figures(10)
    assert (figures["cpu_percent"] or 0) > 0
    assert 0 <= (figures["machine_percent"] or 0) <= 100
    if figures["power_of"] != "GPU":
        assert figures["power_w"] is None and figures["joules_a_frame"] is None
