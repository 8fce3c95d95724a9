"""How far one recipe's results lie apart that differ by the seed alone: order, views and first weights.

    python benchmarks/seeds.py DATA --imagenet WEIGHTS --teacher CHECKPOINT [--seeds 1 2 3] [--out runs/seeds]

DATA holds camvid/, coco/ and coco_person/. The recipes are those of the shipped models, much shortened: trained on the
training split alone from ImageNet's (Fast-SCNN, BiSeNet V2: random) weights, judged once, at the end, on val. What is done
already is not done again, and what was interrupted goes on. About three hours of one core.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
from pathlib import Path

STREET = "--view.crop 288 192 --view.scale 0.5 1.5 --view.aspect 1.3 --view.colour 0.35 --view.balance 0.2"
PERSON = "--view.input-size 384 288 --view.crop 256 192 --view.scale 0.5 2 --view.aspect 1.3 --view.colour 0.35"
ADAM = "--optimiser adamw --lr 1e-3 --weight-decay 0.01"
RECIPES = {
    "fast-scnn-street": ("fast-scnn", 24, f"{STREET} --lr 0.05 --objective.distill 0.5"),
    "bisenetv2-street": ("bisenetv2", 24, f"{STREET} --lr 0.05 --objective.distill 0.5"),
    "bisenet-mobilenetv2-street": ("bisenet-mobilenetv2", 20, f"{STREET} --lr 0.03"),
    "bisenet-mobilenetv2-person": ("bisenet-mobilenetv2", 8, f"{PERSON} {ADAM}"),
}
"""Bundle -> network, epochs, options of `edgeseg train`."""


def trained(bundle: str, seed: int, chosen: argparse.Namespace) -> float:
    """Returns the mIoU on val, 0..1, after training where that was not done yet."""
    model, epochs, options = RECIPES[bundle]
    out = chosen.out / f"{bundle}-{seed}"
    if len(rows := measured(out)) < epochs:
        folders = ["coco:coco", "coco:coco_person"] if bundle.endswith("person") else ["camvid:camvid"]
        sources = [folder.replace(":", f":{chosen.data}/") for folder in folders]
        command = [sys.executable, "-m", "edgeseg", "train", model, "--mixed", "--ema", "0.995", *options.split()]
        command += ["--out", str(out), "--seed", str(seed), "--epochs", str(epochs), "--measure-every", str(epochs)]
        command += ["--val", sources[0], *(part for source in sources for part in ("--data", source))]
        pretrained = model.endswith("mobilenetv2")
        command += ["--backbone", str(chosen.imagenet)] if pretrained else ["--teacher", str(chosen.teacher)]
        subprocess.run(command + (["--resume"] if rows else []), check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        rows = measured(out)
    return float(rows[-1]["val_miou"])


def measured(out: Path) -> list[dict[str, str]]:
    """Returns what a training wrote down, an epoch a row."""
    if not (out / "log.csv").exists():
        return []
    with (out / "log.csv").open() as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--imagenet", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("runs/seeds"))
    chosen = parser.parse_args()
    print("| recipe of | epochs | mIoU by seed | mean | spread (standard deviation) |\n|---|---|---|---|---|")
    for bundle, (_, epochs, _) in RECIPES.items():
        results = [100 * trained(bundle, seed, chosen) for seed in chosen.seeds]
        spread = f"{statistics.stdev(results):.1f}" if len(results) > 1 else ""
        each = ", ".join(f"{result:.1f}" for result in results)
        print(f"| `{bundle}` | {epochs} | {each} | {statistics.mean(results):.1f} | {spread} |", flush=True)


if __name__ == "__main__":
    main()
