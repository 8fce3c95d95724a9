"""`edgeseg train` and `edgeseg export` as their user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edgeseg.cli import main
from edgeseg.core.bundle import Bundle

ROOT = Path(__file__).parents[2]
SIZES = ("--view.input-size", "192", "192", "--view.crop", "64", "64")
SMALL = (*SIZES, "--device", "cpu", "--epochs", "1", "--batch", "2")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _own_images(root: Path, classes: str) -> None:
    """Two images to train on and one for validation, of a bright thing on the left and a dark one on the right."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    for number in range(3):
        cv2.imwrite(str(root / "images" / f"{number}.png"), 200 - 150 * np.repeat(labels[:, :, None], 3, axis=2))
        cv2.imwrite(str(root / "labels" / f"{number}.png"), labels)
    (root / "classes.txt").write_text(classes)
    (root / "train.txt").write_text("0\n1\n")
    (root / "val.txt").write_text("2\n")


def test_a_folder_of_ones_own_becomes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _own_images(tmp_path / "mine", "bright\ndark\n")
    arguments = ["train", "fast-scnn", "--data", "folder:mine", "--val", "folder:mine", "--out", "runs/mine", *SMALL]
    assert main([*arguments, "--json", "-"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"checkpoint": "runs/mine/best.safetensors"}
    assert main(["export", said["checkpoint"], "--out", "engines/mine"]) == 0
    bundle = Bundle.open("engines/mine")
    assert bundle.classes == ("bright", "dark")
    assert (bundle.metrics[0]["data"], bundle.metrics[0]["split"]) == ("folder:mine", "val")
    assert str(tmp_path) not in (tmp_path / "engines" / "mine" / "bundle.json").read_text()


def test_the_next_command_is_printed_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _own_images(tmp_path / "mine", "bright\ndark\n")
    out = "runs/" + "a-long-name-" * 9
    assert main(["train", "fast-scnn", "--data", "folder:mine", "--out", out, *SMALL]) == 0
    checkpoint = f"{out}/model.safetensors"
    assert f"{checkpoint}; next: edgeseg export {checkpoint} --out engines/NAME\n" in capsys.readouterr().out


def test_help_says_what_each_option_does_without_loading_torch() -> None:
    code = "import sys\nfrom edgeseg.cli import main\ntry:\n    main(['train', '--help'])\nfinally:\n    print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT)},
    )
    shown, _, modules = done.stdout.rpartition("\n")[0].rpartition("\n")
    assert done.returncode == 0
    assert not {"torch", "cv2", "onnx", "matplotlib"} & set(modules.split())
    for said in (
        "MODEL",
        "Labelled images, KIND:WHERE",
        "--objective.pixel {cross-entropy,ohem,focal}",
        "of the hard pixels alone",
        "--view.crop INT INT",
        "Width and height that a training step sees",
        "--teacher",
        "--resume",
        "--json FILE",
    ):
        assert said in shown


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["fast-scn", "--data", "folder:mine"], 2, "no network 'fast-scn': did you mean fast-scnn?"),
        (["fast-scnn", "--data", "folder:nowhere"], 1, "nowhere: no such folder"),
        (["fast-scnn", "--data", "camvid:mine"], 1, "mine/train: no images in it"),
        (["fast-scnn", "--data", "foldr:mine"], 2, "did you mean folder?"),
        (["fast-scnn", "--data", "folder:mine", "folder:other"], 2, None),
        (["fast-scnn", "--data", "folder:mine", "--data", "folder:other"], 2, "have different classes"),
        (["fast-scnn", "--data", "folder:mine", "--val", "folder:other"], 2, "have different classes"),
        (["fast-scnn", "--data", "folder:mine", "--epochs", "0"], 2, "--epochs is 0: give 1 or more"),
        (["fast-scnn", "--data", "folder:mine", "--batch", "1"], 2, "2 or more"),
        (["fast-scnn", "--data", "folder:mine", "--objective.distill", "1"], 2, "--teacher and --objective.distill"),
        (["fast-scnn", "--data", "folder:mine", "--start", "a.safetensors"], 1, "a.safetensors: no checkpoint"),
        (["fast-scnn", "--data", "folder:mine", "--backbone", "a.safetensors"], 2, "no MobileNetV2 in it"),
        (["fast-scnn", "--data", "folder:mine", "--view.crop", "100", "64"], 2, "--view.crop is 100 64"),
        (["fast-scnn", "--data", "folder:mine", "--resume"], 1, "state.safetensors: no checkpoint"),
        (["fast-scnn", "--data", "folder:mine", "--json", "missing/m.json"], 2, "missing does not exist"),
    ],
)
def test_bad_input_is_answered_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str | None
) -> None:
    _own_images(tmp_path / "mine", "bright\ndark\n")
    _own_images(tmp_path / "other", "cat\ndog\n")
    if said is None:
        with pytest.raises(SystemExit) as caught:
            main(["train", *arguments, "--out", "run"])
        assert caught.value.code == status
        return
    assert main(["train", *arguments, "--out", "run"]) == status
    error = capsys.readouterr().err
    assert error.startswith("edgeseg: ")
    assert error.count("\n") == 1
    assert said in error
