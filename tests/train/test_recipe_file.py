"""A recipe file becomes the very options that it stands for; what it can't be is one line that names file and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.cli import main
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.train.recipe_file import as_arguments, expanded, read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))

WHOLE = """
model = "fast-scnn"
data = ["camvid:sets/camvid,sequences=A+B@train+val", "street:frames=4,seed=9"]
repeat = [2, 1]
backbone = "weights/b.pt"
lr = 0.5
mixed = true
[view]
crop = [64, 32]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sets" / "camvid").mkdir(parents=True)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "b.pt").touch()
    return tmp_path


def _file(root: Path, text: str) -> Path:
    (root / "r.toml").write_text(text)
    return root / "r.toml"


def test_a_file_is_the_options_that_it_stands_for(root: Path) -> None:
    file = _file(root, WHOLE)
    line = expanded(["train", "--recipe", str(file), "--data-root", str(root), "--out", "o", "--lr", "0.1"])
    data = f"camvid:{root}/sets/camvid,sequences=A+B@train+val"
    begun = ["train", "fast-scnn", "--data", data, "--data", "street:frames=4,seed=9"]
    assert line[: len(begun)] == begun
    said = " ".join(line[len(begun) :])
    for option in (f"--backbone {root}/weights/b.pt", "--repeat 2 1", "--mixed", "--view.crop 64 32"):
        assert option in said
    assert said.endswith("--out o --lr 0.1"), "what the line says comes last, and wins"


def test_data_of_the_line_takes_the_place_of_the_files(root: Path) -> None:
    line = expanded(["train", f"--recipe={_file(root, WHOLE)}", "--data", "street:frames=2", "--data-root", str(root)])
    assert [line[i + 1] for i, each in enumerate(line) if each == "--data"] == ["street:frames=2"]
    assert "--repeat" not in line


def test_other_command_lines_stay_as_they_are() -> None:
    for line in (["run", "--recipe", "x"], ["train", "fast-scnn", "--out", "o"], []):
        assert expanded(line) == line


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("lr =", "larning_rate ="), r"r.toml: no field larning_rate"),
        (("crop =", "corp ="), r"r.toml: no field view.corp; did you mean crop"),
        (('model = "fast-scnn"', ""), r"r.toml: model is missing"),
        (("sets/camvid", "sets/gone"), r"sets/gone: not there, and the recipe needs it; give --data-root"),
        (("b.pt", "c.pt"), r"weights/c.pt: not there"),
        (("[view]", 'out = "x"\n[view]'), r"r.toml: no field out"),
    ],
)
def test_what_it_can_not_be_is_named(root: Path, change: tuple[str, str], said: str) -> None:
    file = _file(root, WHOLE.replace(*change))
    with pytest.raises(UsageError, match=said):
        expanded(["train", "--recipe", str(file), "--data-root", str(root)])


def test_a_file_that_is_no_toml_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--recipe", str(_file(root, "model = [")), "--out", str(root / "o")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(EdgesegError, match="no recipe that can be read"):
        read_recipe(root / "nowhere.toml")


@pytest.mark.parametrize("file", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_read(file: Path, tmp_path: Path) -> None:
    fields = read_recipe(file)
    for address in fields["data"]:
        if not address.startswith("street:"):
            (tmp_path / address.partition(":")[2].partition(",")[0].partition("@")[0]).mkdir(exist_ok=True)
    for name in ("backbone", "start", "teacher"):
        if name in fields:
            (tmp_path / fields[name]).parent.mkdir(exist_ok=True)
            (tmp_path / fields[name]).touch()
    assert as_arguments(fields, tmp_path)[0] == fields["model"]
