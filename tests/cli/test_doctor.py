"""`edgeseg doctor BUNDLE` names what differs between a kept engine and this device, and the command that mends it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgeseg.cli import main
from edgeseg.core.bundle import Bundle
from edgeseg.runtime.engine_file import Device, EngineKey, kept_engines, write
from edgeseg.runtime.gpu.tensorrt_package import installed_builders, load_builder

CONTENT = b"what TensorRT serialized" * 40
BUILDER = next(iter(installed_builders()), "")

needs_tensorrt = pytest.mark.skipif(not BUILDER, reason="no TensorRT is installed to hold engines against")

OTHERS: dict[str, Any] = {
    "builder": "tensorrt_next",
    "builder_version": "8.6.1",
    "platform": "windows-arm64",
    "gpu": "NVIDIA GeForce RTX 3060",
    "compute_capability": "5.3",
    "precision": "int8",
    "graph_sha256": "f" * 64,
    "input_shape": [1, 32, 32, 3],
    "format": 0,
    "size": 7,
    "sha256": "0" * 64,
}
"""Field of an engine's JSON -> a value that is never this machine's."""


@pytest.fixture(autouse=True)
def mine(bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle that is found by the name "mine"."""
    monkeypatch.chdir(tmp_path)
    return Bundle.open(shutil.copytree(bundle_folder, "engines/mine"))


def keep(bundle: Bundle) -> Path:
    """Keeps an engine that fits this machine; returns the path of its JSON."""
    here = Device.here(BUILDER, str(load_builder(BUILDER).__version__))
    return write(bundle, EngineKey.wanted(bundle, "fp32", here), CONTENT).path.with_suffix(".json")


def engines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    status = main(["doctor", "mine", "--json", "-"])
    findings = json.loads(capsys.readouterr().out)
    assert status == int(any(finding["state"] == "broken" for finding in findings))
    return [finding for finding in findings if finding["what"].startswith("trt/")]


def test_every_field_has_another_value_here(mine: Bundle) -> None:
    if BUILDER:
        assert set(json.loads(keep(mine).read_text())) == set(OTHERS)


@needs_tensorrt
def test_an_engine_that_fits_is_said_to_fit(mine: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    keep(mine)
    (finding,) = engines(capsys)
    assert finding["state"] == "ok"
    assert BUILDER in finding["said"]


@needs_tensorrt
@pytest.mark.parametrize("field", OTHERS)
def test_every_field_that_differs_is_named_with_its_value_and_the_command(
    mine: Bundle, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    about = keep(mine)
    sound = json.loads(about.read_text())
    about.write_text(json.dumps(sound | {field: OTHERS[field]}))
    (finding,) = engines(capsys)
    assert finding["state"] == ("broken" if field in {"size", "sha256"} else "missing")
    assert field in finding["said"]
    other = OTHERS[field]
    assert ("x".join(map(str, other)) if isinstance(other, list) else str(other)[:12]) in finding["said"]
    assert finding["remedy"] == f"edgeseg build mine --precision fp32 --builder {BUILDER}"


@needs_tensorrt
@pytest.mark.parametrize("content", [CONTENT[:100], b"", b"<html>not found</html>"], ids=["cut", "empty", "a page"])
def test_an_engine_that_is_not_what_was_built_is_broken(
    mine: Bundle, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    keep(mine).with_suffix(".engine").write_bytes(content)
    (finding,) = engines(capsys)
    assert finding["state"] == "broken"
    assert f"size is {len(content)} bytes" in finding["said"]
    assert finding["remedy"].startswith("edgeseg build mine")


def test_a_json_that_can_not_be_read_is_broken(mine: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    folder = mine.path / "trt"
    folder.mkdir()
    (folder / "fp32-0.json").write_text("{")
    (finding,) = engines(capsys)
    assert finding["state"] == "broken"
    assert "edgeseg build mine --precision fp32" in finding["remedy"]


@needs_tensorrt
def test_another_device_s_engine_beside_one_that_fits_needs_nothing(
    mine: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    fitting = keep(mine)
    orin = Device("tensorrt", "10.3.0", "linux-aarch64", "Orin", "8.7")
    write(mine, EngineKey.wanted(mine, "fp32", orin), CONTENT)
    findings = {finding["state"]: finding for finding in engines(capsys)}
    assert findings["ok"]["what"] == f"trt/{fitting.stem}"
    assert "none is needed" in findings["missing"]["remedy"]


@needs_tensorrt
def test_the_command_that_doctor_names_makes_it_fit(mine: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    if BUILDER != "tensorrt_rtx":
        pytest.skip("builds with tensorrt_rtx, which needs no GPU")
    about = keep(mine)
    about.write_text(json.dumps(json.loads(about.read_text()) | {"builder_version": "1.2.3"}))
    (finding,) = engines(capsys)
    assert main(finding["remedy"].split()[1:]) == 0
    assert [finding["state"] for finding in engines(capsys) if finding["state"] == "ok"] == ["ok"]


def test_an_engine_whose_graph_is_gone_is_named(mine: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    folder = mine.path / "trt"
    folder.mkdir()
    (folder / "int8-0.json").write_text("{}")
    (finding,) = engines(capsys)
    assert "no int8 graph" in finding["said"]
    assert finding["remedy"].startswith("rm ")
    assert kept_engines(mine)


def test_without_any_tensorrt_the_remedy_installs_one(
    mine: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    orin = Device("tensorrt", "10.3.0", "linux-aarch64", "Orin", "8.7")
    write(mine, EngineKey.wanted(mine, "fp32", orin), CONTENT)
    monkeypatch.setattr("edgeseg.runtime.gpu.tensorrt_package.find_spec", lambda _: None)
    (finding,) = engines(capsys)
    assert "builder is tensorrt, here none" in finding["said"]
    assert "install" in finding["remedy"] and "edgeseg build mine --precision fp32" in finding["remedy"]


def test_doctor_tells_of_the_gpu_and_of_tensorrt(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "-"]) == 0
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["GPU"]["state"] == "ok" or findings["GPU"]["remedy"]
    for name in installed_builders():
        assert findings[name]["said"].startswith(name.replace("_", "-"))
