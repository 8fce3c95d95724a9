"""What a street recipe is worth on drives that it never saw: each is held out in turn, trained without, judged once at the end.

    python benchmarks/folds.py recipes/NAME.toml --data-root DIR [--hold-out 0006R0 0001TP] [--out runs/folds] [--sizes 576x416]

The recipe is taken as it is, but that its camvid:... becomes the other drives of train and val together. A fold that is trained is
not trained again, one that was interrupted goes on. Printed: mIoU of each fold; and the forecast for CamVid's test, whose 233
frames are 171 of another day's drive and 62 of one at dusk, as 0006R0 and 0001TP are: from their confusion matrices, added up
with those weights.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from edgeseg.data.samples import open_samples
from edgeseg.models import build_model
from edgeseg.train.checkpoint import WEIGHTS, load_weights, read_about
from edgeseg.train.measure import judge
from edgeseg.train.normalise import Normalise
from edgeseg.train.recipe_file import read_recipe
from edgeseg.vision.metrics import ConfusionMatrix

DRIVES = ("0001TP", "0006R0", "0016E5")
FRAMES_OF_TEST = {"0006R0": 171, "0001TP": 62}
"""Frames of CamVid's test for which a held-out drive stands."""


def trained(recipe: Path, held_out: str, chosen: argparse.Namespace) -> Path:
    """Returns the last checkpoint of the fold's training, which is run unless it is done."""
    fields = read_recipe(recipe)
    out: Path = chosen.out / f"{recipe.stem}-without-{held_out}"
    command = [sys.executable, "-m", "edgeseg", "train", "--recipe", str(recipe), "--data-root", str(chosen.data_root)]
    for address in fields["data"]:
        if address.startswith("camvid:"):
            folder = address.removeprefix("camvid:").partition("@")[0]
            address = f"camvid:{chosen.data_root}/{folder},hold-out={held_out}"
        command += ["--data", address]
    if "repeat" in fields:
        command += ["--repeat", *map(str, fields["repeat"])]
    checkpoint = out / WEIGHTS
    if not (checkpoint.exists() and _is_done(checkpoint)):
        subprocess.run([*command, "--out", str(out), *(["--resume"] if checkpoint.exists() else [])], check=True)
    return checkpoint


def _is_done(checkpoint: Path) -> bool:
    training = read_about(checkpoint).training
    return training["epochs_done"] >= training["epochs"]


def judged(checkpoint: Path, held_out: str, size: tuple[int, int], data_root: Path) -> ConfusionMatrix:
    about = read_about(checkpoint)
    network = build_model(about.model, len(about.classes))
    load_weights(checkpoint, network)
    drive = open_samples(f"camvid:{data_root}/camvid,hold-out={held_out}", "val")
    return judge(network, Normalise(), drive, size)


def told(name: str, matrix: ConfusionMatrix) -> None:
    per_class = zip(matrix.classes, matrix.iou(), strict=True)
    print(
        f"{name}: mIoU {100 * matrix.miou():.1f}  ",
        ", ".join(f"{c} {100 * iou:.1f}" for c, iou in per_class),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--hold-out", nargs="+", default=list(FRAMES_OF_TEST), choices=DRIVES)
    parser.add_argument(
        "--sizes", nargs="+", default=[], help="input sizes to judge at, WIDTHxHEIGHT; else the recipe's"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/folds"))
    chosen = parser.parse_args()
    checkpoints = {drive: trained(chosen.recipe, drive, chosen) for drive in chosen.hold_out}
    own = read_about(next(iter(checkpoints.values()))).input_size
    for size in [tuple(map(int, text.split("x"))) for text in chosen.sizes] or [own]:
        forecast = None
        for drive, checkpoint in checkpoints.items():
            matrix = judged(checkpoint, drive, (size[0], size[1]), chosen.data_root)
            told(f"{size[0]}x{size[1]}, {drive} held out", matrix)
            if drive in FRAMES_OF_TEST:
                frames = len(open_samples(f"camvid:{chosen.data_root}/camvid,hold-out={drive}", "val"))
                forecast = forecast or ConfusionMatrix(matrix.classes)
                forecast.counts += np.round(matrix.counts * (FRAMES_OF_TEST[drive] / frames)).astype(
                    matrix.counts.dtype
                )
        if forecast is not None and set(FRAMES_OF_TEST) <= set(checkpoints):
            told(f"{size[0]}x{size[1]}, forecast for CamVid's test", forecast)


if __name__ == "__main__":
    main()
