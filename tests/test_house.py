"""The rules of the house that a machine can check beside the import floors (`lint-imports`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import grimp
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
    assert "torch" not in loaded_by("import edgeseg; edgeseg.load, edgeseg.stream\nimport edgeseg.evaluate.accuracy")


@pytest.mark.parametrize("for_types_too", [False, True], ids=["what runs", "what is read"])
def test_no_file_leads_back_to_itself(for_types_too: bool) -> None:
    graph = grimp.build_graph("edgeseg", exclude_type_checking_imports=not for_types_too, cache_dir=None)
    steps = [(file, other) for file in graph.modules for other in graph.find_modules_directly_imported_by(file)]
    assert len(steps) > len(graph.modules) > 200
    ways_back = [graph.find_shortest_chain(importer=other, imported=file) for file, other in steps]
    circles = {frozenset(way): " -> ".join((*way, way[0])) for way in ways_back if way is not None}
    assert not circles, "\n".join(["files that import each other:", *sorted(circles.values())])


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
