"""An instance network goes through the same loop: it learns from things, is measured by them, and becomes a bundle."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import UsageError
from edgeseg.core.masks import InstanceMasks
from edgeseg.runtime.segmenter import load
from edgeseg.synthetic import Street
from edgeseg.train.export import export
from edgeseg.train.loop import train
from edgeseg.train.recipe import Recipe, View

DATA = "street:frames=4,seed=3"
SMALL = View(input_size=(96, 96))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of eight epochs of two steps, measured at the end."""
    out = tmp_path_factory.mktemp("yolact")
    still = dataclasses.replace(SMALL, scale=(1.0, 1.0), aspect=1.0, colour=0.0)
    recipe = Recipe("yolact-mobilenetv2", (DATA,), out / "run", epochs=8, batch=2, val=DATA, view=still, device="cpu")
    train(dataclasses.replace(recipe, optimiser="adamw", lr=0.001, copy_paste=0.0))
    return out / "run"


def test_it_learns_and_is_measured_in_mask_ap(run: Path) -> None:
    with (run / "log.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 8
    assert losses[-1] < 0.8 * losses[0]


def test_its_bundle_finds_things_in_a_frame(run: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(export(run / "model.safetensors", tmp_path / "tiny"))
    assert (bundle.task, bundle.architecture, bundle.width, bundle.height) == (
        "instances",
        "yolact-mobilenetv2",
        96,
        96,
    )
    assert bundle.classes == ("car", "pedestrian", "bicyclist")
    assert "mask_ap" in bundle.metrics[0]
    image = Street(3, 160, 120).render(0).image
    with load(bundle.path, engine="onnxruntime") as segmenter:
        found = segmenter(image)
    assert isinstance(found, InstanceMasks)
    assert found.masks.shape[1:] == image.shape[:2]
    assert np.isfinite(found.boxes).all()


def test_a_view_that_is_no_square_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"this network sees squares: give --view\.input-size 416 416"):
        train(Recipe("yolact-mobilenetv2", (DATA,), tmp_path / "run", view=View(input_size=(96, 64)), device="cpu"))
