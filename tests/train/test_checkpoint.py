"""Checkpoints: what is not one is refused in one line, what fits is taken, and a full disk spoils none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from edgeseg.core.errors import EdgesegError
from edgeseg.models import build_model
from edgeseg.train import checkpoint
from edgeseg.train.checkpoint import About, fill_what_fits, load_weights, read_about, read_tensors, save_weights
from edgeseg.train.loop import train
from tests.conftest import FullDisk
from tests.train.conftest import Recipes

ABOUT = About("fast-scnn", ("a", "b"), ((0, 0, 0), (9, 9, 9)), (64, 64), "none", {"seed": 1})


def test_what_was_said_of_the_weights_is_read_back(tmp_path: Path) -> None:
    network = build_model("fast-scnn", 2)
    save_weights(tmp_path / "m.safetensors", network, ABOUT)
    assert read_about(tmp_path / "m.safetensors") == ABOUT
    other = build_model("fast-scnn", 2)
    load_weights(tmp_path / "m.safetensors", other)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=0)


def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path, recipe: Recipes) -> None:
    pickled = tmp_path / "weights.safetensors"
    torch.save(build_model("fast-scnn", 11).state_dict(), pickled)
    with pytest.raises(EdgesegError, match=r"weights\.safetensors: no checkpoint that can be read") as raised:
        train(recipe(start=pickled))
    assert "\n" not in str(raised.value)
    assert not recipe().out.exists()


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "m.safetensors", build_model("fast-scnn", 2), ABOUT)
    other = build_model("bisenetv2", 2)
    with pytest.raises(EdgesegError, match=r"m\.safetensors: holds another network"):
        load_weights(tmp_path / "m.safetensors", other)
    with pytest.raises(EdgesegError, match=r"m\.safetensors: holds another network"):
        fill_what_fits(other, read_tensors(tmp_path / "m.safetensors"), tmp_path / "m.safetensors")


def test_other_classes_begin_anew_in_the_classifier_alone(tmp_path: Path) -> None:
    known, network = build_model("fast-scnn", 2), build_model("fast-scnn", 5)
    fresh = {name: value.clone() for name, value in network.state_dict().items()}
    save_weights(tmp_path / "m.safetensors", known, ABOUT)
    fill_what_fits(network, read_tensors(tmp_path / "m.safetensors"), tmp_path / "m.safetensors")
    given = known.state_dict()
    anew = {name for name, value in network.state_dict().items() if value.shape != given[name].shape}
    assert anew == {"classifier.3.weight", "classifier.3.bias"}
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, (fresh if name in anew else given)[name], rtol=0, atol=0)


def test_a_full_disk_leaves_the_checkpoint_of_before_whole(recipe: Recipes, full_disk: FullDisk) -> None:
    out = train(recipe(epochs=1)).parent
    kept = [out / name for name in (checkpoint.WEIGHTS, checkpoint.STATE)]
    before = [path.read_bytes() for path in kept]
    with (
        full_disk(100_000),
        pytest.raises(EdgesegError, match=r"could not be written.*make room and --resume") as raised,
    ):
        train(recipe(epochs=2, resume=True))
    assert "\n" not in str(raised.value)
    assert [path.read_bytes() for path in kept] == before
    assert not list(out.glob("*.part"))
    assert read_about(train(recipe(epochs=2, resume=True))).training["epochs_done"] == 2


def test_a_state_of_another_run_is_refused(recipe: Recipes) -> None:
    train(recipe(epochs=1))
    for changes, said in (
        ({"model": "bisenetv2"}, r"state\.safetensors: holds another network"),
        ({"auxiliary": 0.0}, r"state\.safetensors: holds another network"),
        ({"optimiser": "adamw"}, r"state of SGD, not of AdamW: --resume with the --optimiser of before"),
    ):
        with pytest.raises(EdgesegError, match=said):
            train(recipe(epochs=2, resume=True, **changes))


def test_there_must_be_something_to_resume(recipe: Recipes) -> None:
    with pytest.raises(EdgesegError, match=r"state\.safetensors: no checkpoint that can be read"):
        train(recipe(resume=True))


def test_no_place_on_the_developers_machine_is_in_a_checkpoint(
    street_folder: Path, recipe: Recipes, tmp_path: Path
) -> None:
    address = f"camvid:{street_folder}"
    start = train(recipe(epochs=1, out=tmp_path / "first"))
    about = read_about(train(recipe(start=start, data=(address, f"{address}@val"), val=address, measure_every=2)))
    written = json.dumps([about.training, about.metrics, about.terms])
    assert street_folder.name in written
    assert str(street_folder.parent) not in written
    assert str(tmp_path) not in written
    assert about.training["start"] == "model.safetensors"
    assert about.training["data"] == [f"camvid:{street_folder.name}", f"camvid:{street_folder.name}@val"]
    assert about.metrics[0]["data"] == f"camvid:{street_folder.name}"
