"""`edgeseg export` as its user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
import torch

from edgeseg.cli import main
from edgeseg.models import build_model
from edgeseg.train.checkpoint import About, save_weights

CLASSES, PALETTE = ("bright", "dark"), ((255, 255, 0), (0, 0, 80))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _checkpoint(model: str, size: tuple[int, int]) -> str:
    torch.manual_seed(0)
    options = {"size": size[0]} if model.startswith("yolact") else {}
    about = About(model, CLASSES, PALETTE, size, "nobody's", {})
    save_weights(Path("net.safetensors"), build_model(model, len(CLASSES), **options), about)
    return "net.safetensors"


def test_variants_for_other_runtimes_are_written_beside_the_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = _checkpoint("fast-scnn", (384, 384))
    options = ["--input-size", "192", "192", "--labels", "labels.onnx", "--dynamic-batch", "batch.onnx"]
    assert main(["export", checkpoint, "--out", "engines/mine", *options, "--json", "-"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["name"], set(document["files"])) == ("mine", {"golden.npz", "model.fp32.onnx"})
    assert document["export"]["off_pytorch"]["logits"]["rms"] < 0.01
    assert "off PyTorch's on the golden frame" in said.err
    assert document["variants"]["labels"]["agreement"] > 0.9999
    assert document["variants"]["dynamic_batch"]["off"] < 1e-4
    shapes = {}
    for name in ("labels", "batch"):
        value = onnx.load(f"{name}.onnx").graph.output[0]
        shapes[name] = value.name, [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
    assert shapes == {"labels": ("labels", [1, 192, 192]), "batch": ("logits", ["batch", 2, 24, 24])}


def test_bad_input_is_answered_in_one_line_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = _checkpoint("yolact-mobilenetv2", (64, 64))
    for options, status, words in (
        (["--labels", "labels.onnx"], 2, "--labels is for label maps, and this network answers with instances"),
        (["--dynamic-batch", "batch.bin"], 2, "batch.bin: give a name that ends in .onnx"),
        (["--dynamic-batch", "missing/batch.onnx"], 1, "missing/batch.onnx can't be written"),
        (["--input-size", "64", "96"], 2, "--input-size 64 96: yolact-mobilenetv2 sees squares"),
    ):
        assert main(["export", checkpoint, "--out", "engines/mine", *options]) == status
        error = capsys.readouterr().err
        assert error.startswith("edgeseg: ") and error.count("\n") == 1
        assert words in error
        assert [entry.name for entry in Path().iterdir()] == [checkpoint]
