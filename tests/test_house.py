"""The rules of the house that a machine can check beside the import floors (`lint-imports`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import edgeseg
from edgeseg.core.errors import MissingPackageError
from edgeseg.core.packages import missing_packages_explained

ROOT = Path(__file__).parent.parent
HEAVY = {"av", "cv2", "numba", "onnx", "onnxruntime", "openvino", "PIL", "torch"}


def loaded_by(statement: str) -> set[str]:
    """Returns the heavy packages that a fresh interpreter has loaded after a statement."""
    code = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in json.loads(answer.stdout)} & HEAVY


def test_importing_edgeseg_or_its_command_line_loads_no_heavy_package() -> None:
    assert loaded_by("import edgeseg, edgeseg.cli") == set()


def test_what_runs_on_a_robot_never_loads_torch() -> None:
    assert "torch" not in loaded_by("import edgeseg; edgeseg.load, edgeseg.stream\nimport edgeseg.bench.accuracy")


@pytest.mark.parametrize("name", edgeseg.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(edgeseg, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        edgeseg.lod  # noqa: B018


def test_a_missing_package_is_answered_with_the_line_that_installs_it() -> None:
    with pytest.raises(MissingPackageError, match=r"pip install 'edgeseg\[cpu\]'"), missing_packages_explained():
        raise ModuleNotFoundError("No module named 'numba'", name="numba")


def test_another_missing_module_is_not_explained_away() -> None:
    with pytest.raises(ModuleNotFoundError), missing_packages_explained():
        raise ModuleNotFoundError("No module named 'edgeseg.nowhere'", name="edgeseg.nowhere")


def test_no_public_name_is_shadowed_by_a_module_once_both_were_used() -> None:
    code = "import edgeseg; edgeseg.stream, edgeseg.load\nassert callable(edgeseg.stream) and callable(edgeseg.load)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
