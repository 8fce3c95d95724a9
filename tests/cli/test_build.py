"""`edgeseg build` and what `edgeseg doctor BUNDLE` says of what it built, as their user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgeseg.cli import main
from edgeseg.runtime.gpu.driver import find_gpu

pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx: it builds engines without a GPU")


@pytest.fixture(autouse=True)
def mine(bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a bundle that is found by the name "mine"."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(bundle_folder, "engines/mine"))


def build(*arguments: str) -> int:
    return main(["build", "mine", "--builder", "tensorrt_rtx", *arguments])


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return json.loads(capsys.readouterr().out)


def test_build_keeps_an_engine_and_says_where(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build() == 0
    (engine,) = mine.glob("trt/*.engine")
    said = capsys.readouterr().out
    assert str(engine) in said
    assert "8.0 or later" in said


def test_build_again_keeps_what_fits_and_force_does_not(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build("--json", "-") == 0
    (first,) = rows(capsys)
    assert first["seconds"] > 0
    assert Path(first["path"]).stat().st_size == first["bytes"]
    assert build("--json", "-") == 0
    assert rows(capsys) == [first | {"seconds": None}]
    assert build("--json", "-", "--force") == 0
    assert rows(capsys)[0]["seconds"] is not None


def test_build_says_why_what_is_kept_does_not_fit(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build() == 0
    (about,) = mine.glob("trt/*.json")
    about.write_text(json.dumps(json.loads(about.read_text()) | {"builder_version": "1.2.3"}))
    capsys.readouterr()
    assert build("--json", "-") == 0
    (row,) = rows(capsys)
    assert "builder_version is 1.2.3, here" in row["reasons"][0]


def test_the_same_bundle_where_it_may_not_be_written_is_an_error_of_one_line(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "trt").write_text("a file where the folder should be")
    assert build() == 1
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["build", "nowhere"], 2, "no model 'nowhere'"),
        (["build", "mine", "--precision", "int8"], 2, "edgeseg quantize"),
        (["build", "mine", "--builder", "tensorrt_rtx", "--compute-capability", "1.0"], 2, "known: any, "),
        (["build", "mine", "--workspace", "0"], 2, "at least 1"),
        (["build", "mine", "--json", "missing/b.json"], 2, "missing does not exist"),
    ],
)
def test_bad_input_is_answered_in_one_line_and_builds_nothing(
    mine: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    assert main(arguments) == status
    error = capsys.readouterr().err
    assert error.startswith("edgeseg: ") and error.count("\n") == 1
    assert said in error
    assert not (mine / "trt").exists()


@pytest.mark.skipif(find_gpu() is not None, reason="says what is said where there is no GPU")
def test_the_full_tensorrt_needs_the_gpu_that_will_run_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site" / "tensorrt").mkdir(parents=True)
    (tmp_path / "site" / "tensorrt" / "__init__.py").write_text('__version__ = "10.3.0"\n')
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert main(["build", "mine", "--builder", "tensorrt"]) == 1
    assert "this machine has none" in capsys.readouterr().err
