"""A training run as a file: TOML whose keys are the fields of `Recipe`, with data and weights below a folder of data.

model = "fast-scnn"
data = ["camvid:camvid@train+val", "street:frames=900,seed=2000"]
backbone = "weights/mobilenetv2.pt"
steps = 10000
[view]
crop = [480, 352]
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeseg.core.errors import EdgesegError, UsageError, did_you_mean
from edgeseg.train.recipe import Objective, Recipe, View

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pyright: ignore[reportMissingImports]

PATHS = ("start", "backbone", "teacher")
"""Fields that name a file."""
PLACED = ("camvid", "cityscapes", "coco", "facade", "folder")
"""Kinds of data whose address begins with a folder."""
NOT_IN_A_FILE = ("out", "resume")
"""Fields that say where and how the run goes on, and nothing of what it makes."""


def read_recipe(path: Path) -> dict[str, Any]:
    """Returns the fields that a file sets, of [view] and [objective] as dictionaries.

    Raises EdgesegError for a file that can't be read, UsageError, with the field, for one that a recipe does not have.
    """
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise EdgesegError(f"{path}: no recipe that can be read ({error}); it is a TOML file") from error
    _check_names(path, fields, Recipe, "")
    for table, kind in (("view", View), ("objective", Objective)):
        inside = fields.get(table, {})
        if not isinstance(inside, dict):
            raise UsageError(f"{path}: {table} is {inside!r}: it is a table, [{table}]")
        _check_names(path, inside, kind, f"{table}.")
    for name in ("model", "data"):
        if name not in fields:
            raise UsageError(f"{path}: {name} is missing; a recipe says which network learns from which data")
    if not isinstance(fields["data"], list) or not all(isinstance(each, str) for each in fields["data"]):
        raise UsageError(f"{path}: data is {fields['data']!r}: give a list of KIND:WHERE")
    return fields


def as_arguments(fields: Mapping[str, Any], root: Path) -> list[str]:
    """Returns the fields as options of `edgeseg train`, with data sets and weights below the folder `root`.

    Raises UsageError where a data set or weights are not there.
    """
    arguments = [str(fields["model"])]
    for address in fields["data"]:
        arguments += ["--data", _placed(address, root)]
    if fields.get("val"):
        arguments += ["--val", _placed(str(fields["val"]), root)]
    for name in PATHS:
        if fields.get(name):
            arguments += [f"--{name}", str(_below(root, str(fields[name])))]
    done = {"model", "data", "val", *PATHS}
    for name, value in fields.items():
        if name not in done:
            arguments += _options(name, value)
    return arguments


def _options(name: str, value: Any) -> Iterator[str]:
    option = name.replace("_", "-")
    if isinstance(value, dict):
        for inner, inside in value.items():
            yield from _options(f"{name}.{inner}", inside)
    elif isinstance(value, bool):
        yield f"--{option}" if value else "--{}no-{}".format(*_divided(option))
    else:
        yield f"--{option}"
        yield from (map(str, value) if isinstance(value, list) else [str(value)])


def _divided(option: str) -> tuple[str, str]:
    table, dot, name = option.rpartition(".")
    return table + dot, name


def _check_names(path: Path, fields: Mapping[str, Any], kind: type, table: str) -> None:
    known = [field.name for field in dataclasses.fields(kind) if table or field.name not in NOT_IN_A_FILE]
    for name in fields:
        if name not in known:
            raise UsageError(f"{path}: no field {table}{name}; {did_you_mean(name, known)}")


def _placed(address: str, root: Path) -> str:
    kind, _, where = address.partition(":")
    if kind not in PLACED:
        return address
    folder = where.partition(",")[0].rpartition("@")[0] or where.partition(",")[0]
    _below(root, folder)
    return f"{kind}:{root}/{where}"


def _below(root: Path, name: str) -> Path:
    path = root / name
    if not path.exists():
        raise UsageError(f"{path}: not there, and the recipe needs it; give --data-root the folder that holds {name}")
    return path


def expanded(arguments: Sequence[str]) -> list[str]:
    """Returns a command line in which `train --recipe FILE [--data-root DIR]` became what the file says; others unchanged.

    Options beside it come after, so that they win; --data and --repeat of the line take the place of the file's.
    """
    rest = list(arguments)
    if rest[:1] != ["train"] or not any(each.partition("=")[0] == "--recipe" for each in rest):
        return rest
    file = _taken(rest, "--recipe")
    root = _taken(rest, "--data-root")
    if file is None:
        raise UsageError("--recipe needs a file: recipes/NAME.toml")
    fields = read_recipe(Path(file))
    if "--data" in rest:
        fields["data"] = []
        fields.pop("repeat", None)
    return ["train", *as_arguments(fields, Path(root or ".")), *rest[1:]]


def _taken(arguments: list[str], option: str) -> str | None:
    """Takes an option and its value out of the arguments, and returns the value."""
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            if equals:
                del arguments[index]
                return value
            if index + 1 < len(arguments) and not arguments[index + 1].startswith("--"):
                value = arguments[index + 1]
                del arguments[index : index + 2]
                return value
            return None
    return None
