"""The loop: every schedule and optimiser learns, a resumed run is the uninterrupted one, the best epoch is kept."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from edgeseg.core.classes import STREET_CLASSES, STREET_PALETTE
from edgeseg.core.errors import UsageError
from edgeseg.models import build_model
from edgeseg.train import diary, loop
from edgeseg.train.checkpoint import BEST, WEIGHTS, About, load_weights, read_about, read_tensors, save_weights
from edgeseg.train.feed import Batch
from edgeseg.train.loop import learning_rate, train
from edgeseg.train.normalise import Normalise
from edgeseg.train.peers import Peers
from edgeseg.train.recipe import Objective, View
from edgeseg.train.semantic import Semantic
from tests.train.conftest import Recipes

HERE = Peers(0, 1, torch.device("cpu"))


def _losses(out: Path) -> list[float]:
    with (out / diary.CSV).open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    "changes",
    [
        {"lr": 0.05},
        {"schedule": "poly", "lr": 0.05},
        {"optimiser": "adamw", "lr": 0.003},
        {"mixed": True, "lr": 0.05},
    ],
    ids=["sgd", "poly", "adamw", "mixed"],
)
def test_the_loss_falls(recipe: Recipes, changes: dict[str, Any]) -> None:
    view = View(input_size=(96, 64), crop=(64, 64), scale=(0.6, 0.8))
    train(recipe(epochs=5, view=view, **changes))
    losses = _losses(recipe().out)
    assert len(losses) == 5
    assert losses[-1] < 0.9 * losses[0]


def test_rates_rise_and_fall_as_the_recipe_says(recipe: Recipes) -> None:
    cosine, poly = (recipe(lr=1.0, warmup=0.1, schedule=schedule) for schedule in ("cosine", "poly"))
    for each in (cosine, poly):
        assert learning_rate(0.0, each) == pytest.approx(0.01)
        assert learning_rate(0.05, each) == pytest.approx(0.5)
        assert learning_rate(0.1, each) == pytest.approx(1.0)
        assert learning_rate(1.0, each) == pytest.approx(0.0)
    assert learning_rate(0.55, cosine) == pytest.approx(0.5)
    assert learning_rate(0.55, poly) == pytest.approx(0.5**0.9)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_resumed_run_ends_in_the_very_weights_of_an_uninterrupted_one(
    recipe: Recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimiser: str
) -> None:
    rate = {"sgd": 0.02, "adamw": 0.002}[optimiser]
    whole = recipe(epochs=2, optimiser=optimiser, lr=rate, out=tmp_path / "whole")
    broken = recipe(epochs=2, optimiser=optimiser, lr=rate, out=tmp_path / "broken")
    train(whole)
    step, steps = loop._Run._step, iter(range(100))

    def power_cut(run: loop._Run, batch: Batch) -> float:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return step(run, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop._Run, "_step", power_cut)
        train(broken)
    train(recipe(epochs=2, optimiser=optimiser, lr=rate, out=tmp_path / "broken", resume=True))
    resumed = read_tensors(broken.out / WEIGHTS)
    for name, value in read_tensors(whole.out / WEIGHTS).items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0, msg=name)
    assert _losses(broken.out) == _losses(whole.out)


def test_the_best_epoch_is_kept_and_returned(
    street_folder: Path, recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[float] = []
    seen: list[dict[str, Tensor]] = []

    def judged(_task: Semantic, network: torch.nn.Module) -> tuple[float, dict[str, float]]:
        """The second of three epochs is the best."""
        measured.append((0.3, 1.0, 0.5)[len(measured)])
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return measured[-1], {}

    monkeypatch.setattr(Semantic, "measure", judged)
    best = train(recipe(epochs=2, measure_every=1, val=f"camvid:{street_folder}"))
    train(recipe(epochs=3, measure_every=1, val=f"camvid:{street_folder}", resume=True))
    assert best == recipe().out / BEST
    assert measured[1] == max(measured)
    assert read_about(best).metrics[0]["miou"] == measured[1]
    assert read_about(best).training["epochs_done"] == 2
    for name, value in read_tensors(best).items():
        torch.testing.assert_close(value, seen[1][name], rtol=0, atol=0)
    assert read_about(recipe().out / WEIGHTS).training["epochs_done"] == 3


def test_a_finished_run_leaves_its_log_and_its_curves(street_folder: Path, recipe: Recipes) -> None:
    train(recipe(epochs=1, measure_every=1, val=f"camvid:{street_folder}"))
    train(recipe(epochs=2, measure_every=1, val=f"camvid:{street_folder}", resume=True))
    with (recipe().out / diary.CSV).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert all(0 < float(row["val_miou"]) < 1 for row in rows)
    assert (recipe().out / diary.CURVES).is_file()
    assert len(list((recipe().out / diary.BOARD).glob("*tfevents*"))) == 2


@pytest.mark.parametrize("model", ["fast-scnn", "bisenet-mobilenetv2", "bisenetv2"])
def test_every_weight_takes_part_in_the_loss(recipe: Recipes, model: str) -> None:
    """Several processes wait for each gradient: a weight without one would stop them."""
    run = loop._Run(recipe(model=model, batch=2), HERE)
    run._step(next(iter(run.task.feed.batches(0))))
    assert [name for name, value in run.parts["trainee"].named_parameters() if value.grad is None] == []


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """A network that takes all for fences."""
    network = build_model("fast-scnn", len(STREET_CLASSES))
    network.state_dict()["classifier.3.bias"][STREET_CLASSES.index("fence")] = 6.0
    about = About("fast-scnn", STREET_CLASSES, STREET_PALETTE, (96, 64), "none", {})
    save_weights(tmp_path / "teacher.safetensors", network, about)
    return tmp_path / "teacher.safetensors"


def test_a_distilled_network_comes_nearer_to_its_teacher(recipe: Recipes, teacher: Path, tmp_path: Path) -> None:
    images, _ = next(loop._Run(recipe(out=tmp_path / "none"), HERE).task.feed.batches(9))
    seen = Normalise()(torch.from_numpy(images))
    answer = _answer(teacher, seen)

    def apart(objective: Objective, teacher: Path | None) -> float:
        """Mean divergence from the teacher's answer, in nats a pixel, after three epochs."""
        out = tmp_path / f"distill-{objective.distill}"
        trained = train(recipe(epochs=3, lr=0.2, out=out, teacher=teacher, objective=objective))
        return float((answer.exp() * (answer - _answer(trained, seen))).sum(1).mean())

    assert apart(Objective(distill=10.0), teacher) < 0.8 * apart(Objective(), None)


@torch.inference_mode()
def _answer(checkpoint: Path, seen: Tensor) -> Tensor:
    network = build_model("fast-scnn", len(STREET_CLASSES)).eval()
    load_weights(checkpoint, network)
    return network(seen).log_softmax(1)


@pytest.fixture
def two_classes(tmp_path: Path) -> Path:
    """A folder of one's own images: four to train on, one to measure on, of two classes."""
    root = tmp_path / "mine"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("thing\nother\n")
    (root / "train.txt").write_text("0\n1\n2\n3\n")
    (root / "val.txt").write_text("4\n")
    for number in range(5):
        cv2.imwrite(str(root / "images" / f"{number}.png"), np.full((64, 96, 3), 50 * number, np.uint8))
        cv2.imwrite(str(root / "labels" / f"{number}.png"), np.full((64, 96), number % 2, np.uint8))
    return root


def test_a_teacher_of_other_classes_is_refused(recipe: Recipes, teacher: Path, two_classes: Path) -> None:
    with pytest.raises(UsageError, match=r"safetensors: the teacher knows sky, .*; the data thing, other"):
        train(recipe(data=(f"folder:{two_classes}",), teacher=teacher, objective=Objective(distill=1.0)))


def test_data_of_other_classes_are_not_mixed(street_folder: Path, recipe: Recipes, two_classes: Path) -> None:
    said = r"camvid:.* and folder:.* have different classes"
    with pytest.raises(UsageError, match=said):
        train(recipe(data=(f"camvid:{street_folder}", f"folder:{two_classes}")))
    with pytest.raises(UsageError, match=said):
        train(recipe(val=f"folder:{two_classes}"))


def test_a_run_learns_from_ones_own_folder(recipe: Recipes, two_classes: Path) -> None:
    address = f"folder:{two_classes}"
    about = read_about(train(recipe(data=(address,), val=address, epochs=1)))
    assert about.classes == ("thing", "other")
    assert 0 <= about.metrics[0]["miou"] <= 1


def test_each_epoch_is_told_where_no_terminal_shows_a_bar(recipe: Recipes, capsys: pytest.CaptureFixture[str]) -> None:
    train(recipe(epochs=2))
    told = capsys.readouterr().err
    assert "epoch 1  loss " in told
    assert "epoch 2  loss " in told
    assert "of 2 epochs" in told


def test_a_run_is_as_many_whole_epochs_as_make_the_steps(recipe: Recipes) -> None:
    # Eight images, four a step: two steps an epoch.
    training = read_about(train(recipe(epochs=None, steps=5))).training
    assert (training["epochs"], training["steps"], training["epochs_done"]) == (3, 6, 3)
