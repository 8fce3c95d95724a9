"""`edgeseg quantize` as its user meets it: exit status, one line, and nothing left behind where the gate does not hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from edgeseg.cli.quantize import Quantize
from edgeseg.core.errors import EdgesegError, UsageError
from tests.deploy import colour_net


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return colour_net.write_data(tmp_path_factory.mktemp("data"), val=4)


def everything(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


def test_it_says_what_int8_costs_and_whether_it_is_worth_it(
    tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = colour_net.write(tmp_path / "engines" / "planted", planted=1000)
    assert Quantize(str(bundle.path), data, json=str(tmp_path / "report.json")).execute() == 0
    said = capsys.readouterr().out
    assert "INT8 is" in said and " worth it here: " in said
    assert f"int8: {colour_net.VICTIM} stays in FP32: alone in INT8" in said
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["held"] and report["metric"] == "mIoU"
    assert report["cost_of_layers"][0]["layer"] == colour_net.VICTIM
    assert set(report["points"]) == {"fp32", "fp16", "int8"}
    assert {(row["engine"], row["precision"]) for row in report["ms"]} >= {("onnxruntime", "int8")}
    assert (tmp_path / "calib" / "planted" / "report.json").is_file()


def test_an_impossible_gate_fails_and_leaves_nothing(
    tmp_path: Path, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = colour_net.write(tmp_path / "engines" / "even")
    before = everything(tmp_path)
    with pytest.raises(EdgesegError, match=r"int8 costs .* with 2 layers in FP32 too, -50 are allowed") as failed:
        Quantize(str(bundle.path), data, precision="int8", max_drop=-50).execute()
    assert failed.value.exit_status == 1
    assert "\n" not in str(failed.value)
    assert "mIoU %" in capsys.readouterr().out
    assert everything(tmp_path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["engines"]


def test_fp16_alone_is_made_alone(tmp_path: Path, data: str) -> None:
    bundle = colour_net.write(tmp_path / "even")
    assert Quantize(str(bundle.path), data, precision="fp16").execute() == 0
    assert sorted(p.name for p in bundle.path.glob("*.onnx")) == ["model.fp16.onnx", "model.fp32.onnx"]


def test_data_of_other_classes_is_refused(tmp_path: Path) -> None:
    bundle = colour_net.write(tmp_path / "even")
    with pytest.raises(UsageError, match="give data with its classes"):
        Quantize(str(bundle.path), "street:frames=40,seed=1", images=1, judged=1, force=True).execute()
