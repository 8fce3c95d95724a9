"""The other verbs, each as its user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import edgeseg
from edgeseg.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_models_lists_what_ships_with_its_data_and_terms(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json", "-"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    shipped = rows["fast-scnn-street"]
    assert shipped["architecture"] == "fast-scnn"
    assert "CamVid" in shipped["terms"]
    assert shipped["metrics"]
    assert shipped["bytes"] < 10e6


def test_models_lists_a_broken_bundle_with_what_is_wrong(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(bundle_folder, "engines/mine"))
    (folder / "golden.npz").unlink()
    assert main(["models", "--json", "-"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert "golden.npz is missing" in rows["mine"]["error"]


def test_doctor_names_the_engines_and_finds_nothing_broken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "-"]) == 0
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["engine onnxruntime"]["state"] == "ok"
    assert findings["model fast-scnn-street"]["state"] == "ok"
    assert all(finding["remedy"] for finding in findings.values() if finding["state"] == "missing")


def test_doctor_prints_install_lines_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr("edgeseg.runtime.choose.find_spec", lambda _: None)
    assert main(["doctor"]) == 0
    assert "pip install 'edgeseg[cpu]'" in capsys.readouterr().out


def test_doctor_checks_a_bundle_on_every_engine(bundle_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(bundle_folder), "--json", "-"]) == 0
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["nearest-colour on onnxruntime fp32"]["state"] == "ok"
    assert findings["nearest-colour on openvino fp32"]["state"] == "ok"
    assert findings["nearest-colour on onnxruntime int8"]["state"] == "missing"
    assert "takes" in " ".join(findings)


def test_doctor_calls_a_broken_bundle_broken(bundle_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(bundle_folder, "engines/mine"))
    (folder / "model.fp32.onnx").write_bytes(b"")
    assert main(["doctor", "--json", "-"]) == 1
    findings = {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert findings["model mine"]["state"] == "broken"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["doctor", "nowhere"], 2, "no model 'nowhere'"),
        (["models", "--json", "missing/m.json"], 2, "missing does not exist"),
        (["export", "nowhere.safetensors", "--out", "engines/mine"], 1, "nowhere.safetensors"),
        (["train", "fast-scn", "--data", "street:frames=4", "--out", "run"], 2, "did you mean fast-scnn?"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert error.startswith("edgeseg: ")
    assert error.count("\n") == 1
    assert said in error
    assert not list(Path.cwd().iterdir())


def test_wrong_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "--no-such-option"])
    assert caught.value.code == 2
    assert "no-such-option" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"edgeseg {edgeseg.__version__}\n"
