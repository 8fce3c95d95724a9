"""`edgeseg eval` as its user meets it, and against torchmetrics' figures for the same answers."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassJaccardIndex

from edgeseg.cli import main
from edgeseg.data.camvid import UNLABELLED
from edgeseg.data.samples import open_samples
from edgeseg.runtime.segmenter import load
from edgeseg.synthetic import Street

ON_CPU = ("--engine", "onnxruntime", "--precision", "fp32")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of three small frames of the street, the bottom rows of one of them not labelled."""
    root = tmp_path_factory.mktemp("street")
    drive = Street(3, 240, 160)
    for folder in ("val", "valannot"):
        (root / folder).mkdir()
    for number in range(3):
        view = drive.render(40 * number)
        labels = view.labels.copy()
        if number == 1:
            labels[130:] = UNLABELLED
        cv2.imwrite(str(root / "val" / f"{number}.png"), view.image)
        cv2.imwrite(str(root / "valannot" / f"{number}.png"), labels)
    return f"camvid:{root}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_agrees_with_torchmetrics_on_the_same_answers(street: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "fast-scnn-street", "--data", street, *ON_CPU, "--json", "-"]) == 0
    figures = json.loads(capsys.readouterr().out)
    samples = open_samples(street, "val")
    # All pooled over the pixels of all images. torchmetrics counts a class that occurs nowhere out of the mean.
    count, options = len(samples.classes), {"ignore_index": 255, "validate_args": True}
    jaccard = MulticlassJaccardIndex(count, average="macro", **options)
    dice = MulticlassF1Score(count, average="macro", **options)
    accuracy = MulticlassAccuracy(count, average="micro", **options)
    by_class = MulticlassJaccardIndex(count, average=None, **options)
    with load("fast-scnn-street", engine="onnxruntime", precision="fp32") as segmenter:
        for index in range(len(samples)):
            _, image, labels = samples[index]
            answer, truth = (
                torch.from_numpy(map_.astype(np.int64))[None] for map_ in (segmenter(image).labels, labels)
            )
            for metric in (jaccard, dice, accuracy, by_class):
                metric.update(answer, truth)
    assert figures["miou"] == pytest.approx(jaccard.compute().item(), abs=1e-6)
    assert figures["dice"] == pytest.approx(dice.compute().item(), abs=1e-6)
    assert figures["pixel_accuracy"] == pytest.approx(accuracy.compute().item(), abs=1e-6)
    ours = [value or 0.0 for value in figures["per_class"].values()]
    assert ours == pytest.approx(by_class.compute().tolist(), abs=1e-6)
    assert 0.3 < figures["miou"] < 0.95


def test_says_every_figure_as_json(street: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "fast-scnn-street", "--data", street, *ON_CPU, "--tta", "--json", "-"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["images"] == 3
    assert figures["split"] == "val"
    assert figures["engine"]["name"] == "onnxruntime"
    assert figures["tta"]["views"] == 10
    assert figures["tta"]["miou"] != figures["miou"]
    for answered in (figures, figures["tta"]):
        assert 0.3 < answered["miou"] < answered["dice"] < answered["pixel_accuracy"] < 1
        assert 0.3 < answered["boundary_f1"] < 1
        assert answered["frame_ms"] > 0
        for key in ("per_class", "per_class_dice", "per_class_boundary_f1"):
            assert set(answered[key]) >= {"road", "sky", "pedestrian"}
            assert 0.3 < answered[key]["road"] < 1


def test_prints_a_table_and_draws_the_worst_frames(
    street: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["eval", "fast-scnn-street", "--data", street, *ON_CPU, "--tta", "--worst", "worst.jpg"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("bicyclist", "boundary F1 %", "10 views a frame", "difference", "worst.jpg"))
    picture = cv2.imread("worst.jpg")
    assert picture is not None
    assert picture.shape[1] > picture.shape[0] / 2 > 300


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["fast-scnn-street", "--data", "camvid:nowhere"], 1, "nowhere"),
        (["fast-scnn-street", "--data", "kitty:x"], 2, "kitty"),
        (["fast-scnn-street", "--data", "street:frames=many"], 2, "street:frames=many"),
        (["fast-scnn-street", "--data", "street:frames=0"], 2, "0 frames"),
        (["fast-scn", "--data", "street:frames=1"], 2, "did you mean fast-scnn-street?"),
        (["fast-scnn-street", "--data", "street:frames=1", "--worst", "missing/w.jpg"], 1, "missing/w.jpg can't be"),
        (["fast-scnn-street", "--data", "street:frames=1", "--worst", "w.bmp"], 2, "ends in .jpg"),
        (["fast-scnn-street", "--data", "street:frames=1", "--json", "missing/m.json"], 2, "missing does not exist"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    assert main(["eval", *arguments]) == status
    error = capsys.readouterr().err
    assert error.startswith("edgeseg: ")
    assert error.count("\n") == 1
    assert said in error
    assert not list(Path.cwd().iterdir())


def test_data_of_other_classes_are_refused_with_the_first_difference(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(bundle_folder), "--data", "street:frames=1"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "knows 3 classes, the data 11; id 0 is 'red' to the model, 'sky' in the data" in error
