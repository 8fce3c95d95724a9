"""A recipe that can't be is refused before anything is read, and what it tells names no place on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgeseg.core.errors import UsageError
from edgeseg.train.recipe import Objective, Recipe, View


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"epochs": 0}, "--epochs is 0: give 1 or more"),
        ({"measure_every": 0}, "--measure-every is 0"),
        ({"lr": float("nan")}, "--lr is nan: give 0 or more"),
        ({"seed": -1}, "--seed is -1: give 0 or more"),
        ({"mosaic": 1.5}, "--mosaic is 1.5: give a share from 0 to 1"),
        ({"view": View(input_size=(480, 360))}, "--view.input-size is 480 360: give multiples of 32"),
        ({"view": View(crop=(0, 32))}, "--view.crop is 0 32: give multiples of 32"),
        ({"teacher": Path("big.safetensors")}, "--teacher and --objective.distill go together"),
        ({"objective": Objective(distill=1.0)}, "--teacher and --objective.distill go together"),
    ],
)
def test_what_can_not_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Recipe("fast-scnn", ("street:frames=4",), Path("run"), **changes)


def test_it_tells_names_and_no_folders() -> None:
    recipe = Recipe(
        "fast-scnn",
        ("camvid:/home/me/CamVid/", "coco:~/sets/coco,classes=person+car@val", "street:frames=9,seed=2"),
        Path("/home/me/runs/first"),
        val="folder:../mine",
        start=Path("/home/me/a.safetensors"),
        backbone=Path("weights/b.safetensors"),
        teacher=Path("/home/me/c.safetensors"),
        objective=Objective(distill=1.0),
    )
    told = recipe.told()
    assert told["data"] == ["camvid:CamVid", "coco:coco,classes=person+car@val", "street:frames=9,seed=2"]
    assert told["val"] == "folder:mine"
    assert (told["start"], told["backbone"], told["teacher"]) == ("a.safetensors", "b.safetensors", "c.safetensors")
    assert "/" not in json.dumps({name: value for name, value in told.items() if name != "objective"})
    assert json.loads(json.dumps(told))["view"]["crop"] == [576, 384]
