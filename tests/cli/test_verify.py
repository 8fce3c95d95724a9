"""`edgeseg verify` as its user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgeseg.cli import main
from edgeseg.core.bundle import write_bundle
from tests.conftest import COLOURS_BGR, golden_frame, manifest, nearest_colour_graph


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """A folder of two pictures that run from one colour to another."""
    (tmp_path / "photos").mkdir()
    for number in range(2):
        ends = np.array([[[40, 40, 220], [60, 180, 40 + 20 * number], [230, 80, 50]]], np.uint8)
        cv2.imwrite(f"photos/{number}.png", cv2.resize(ends, (600, 400), interpolation=cv2.INTER_CUBIC))
    return "photos"


FP32 = ("--engine", "openvino", "--precision", "fp32")


@pytest.fixture
def two_precisions(tmp_path: Path) -> str:
    """A bundle whose FP16 graph raises the first logit a little: it says red where the other still says green."""
    graph = nearest_colour_graph(COLOURS_BGR)
    model = onnx.load_model_from_string(graph)
    (bias,) = [constant for constant in model.graph.initializer if constant.name == "bias"]
    raised = numpy_helper.to_array(bias) + np.array([0.004, 0, 0], np.float32)
    bias.CopyFrom(numpy_helper.from_array(raised, "bias"))
    graphs = {"model.fp32.onnx": graph, "model.fp16.onnx": model.SerializeToString()}
    said = {**manifest(), "graphs": {"fp32": "model.fp32.onnx", "fp16": "model.fp16.onnx"}}
    write_bundle(tmp_path / "two", said, {**graphs, "golden.npz": golden_frame(graph)})
    return "two"


def test_two_engines_agree_and_every_figure_is_said(
    bundle_folder: Path, photos: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(bundle_folder), *FP32, "--data", photos, "--json", "-"]) == 0
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert (figures["frames"], figures["at_least"], figures["picture"]) == (2, 0.998, None)
    assert (figures["model"], figures["data"]) == ("nearest-colour", "photos")
    assert figures["agreement"] > 0.9999
    assert (figures["engine"]["name"], figures["reference"]["name"]) == ("openvino", "onnxruntime")
    assert figures["outputs"]["logits"]["largest"] < 1e-4
    assert "openvino fp32 against onnxruntime fp32, 2 frames" in said.err


def test_too_little_agreement_is_one_line_and_the_picture_and_the_figures_are_there(
    two_precisions: str, photos: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--precision", "fp16", "--data", photos, "--frames", "1", "--picture", "p.png", "--json", "v.json"]
    assert main(["verify", two_precisions, *asked, "--at-least", "90"]) == 0
    capsys.readouterr()
    assert main(["verify", two_precisions, *asked, "--at-least", "99.99"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("edgeseg: nearest-colour: onnxruntime fp16 and onnxruntime fp32 agree on 99.")
    assert error.count("\n") == 1
    assert "99.99 % asked for: see p.png" in error
    figures = json.loads(Path("v.json").read_text())
    assert (figures["frames"], figures["picture"]) == (1, "p.png")
    assert figures["at_least"] == pytest.approx(0.9999)
    assert 0.99 < figures["agreement"] < 0.9999
    picture = cv2.imread("p.png")
    assert picture is not None
    assert picture.shape[1] > 1600


def test_the_same_precision_is_compared_on_another_engine(
    bundle_folder: Path, photos: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--engine", "onnxruntime", "--precision", "fp32", "--data", photos, "--frames", "1", "--json", "-"]
    assert main(["verify", str(bundle_folder), *arguments]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["engine"]["name"], figures["reference"]["name"]) == ("onnxruntime", "openvino")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--precision", "int8"], 2, "has no int8 graph, only fp32"),
        (
            [*FP32, "--against", "int8"],
            2,
            "has no int8 to compare openvino fp32 with; here are openvino fp32, openvino",
        ),
        (["--against", "fp31"], 2, "--against fp31: no such precision; did you mean fp32"),
        (["--at-least", "101"], 2, "--at-least 101: give a percentage, 0 to 100"),
        (["--frames", "0"], 2, "--frames 0: give 1 or more"),
        (["--picture", "p.bmp"], 2, "p.bmp: give a name that ends in .jpg"),
        (["--picture", "missing/p.png"], 1, "missing/p.png can't be written"),
        (["--json", "missing/v.json"], 2, "missing does not exist"),
        (["--data", "camvid:nowhere"], 1, "nowhere: no such folder"),
        (["--data", "nowhere.mp4"], 1, "nowhere.mp4"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    assert main(["verify", str(bundle_folder), *arguments]) == status
    error = capsys.readouterr().err
    assert error.startswith("edgeseg: ")
    assert error.count("\n") == 1
    assert said in error
    assert not list(Path.cwd().iterdir())
