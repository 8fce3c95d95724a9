"""What a run tells of itself: log.csv, a TensorBoard log, and its curves as a picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from tensorboardX import SummaryWriter

CSV = "log.csv"
CURVES = "curves.png"


@dataclass(frozen=True)
class Entry:
    """An epoch. loss: its mean. miou: of the averaged weights, NaN where they were not measured. lr: at its end."""

    epoch: int
    loss: float
    miou: float
    lr: float
    seconds: float


def write(folder: Path, entry: Entry, per_class: Mapping[str, float]) -> None:
    """Adds an epoch to `folder`/log.csv and `folder`/tensorboard. per_class: IoU by name, where it was measured."""
    _append(folder / CSV, entry)
    with SummaryWriter(str(folder / "tensorboard")) as board:
        board.add_scalar("loss", entry.loss, entry.epoch)
        board.add_scalar("lr", entry.lr, entry.epoch)
        if math.isfinite(entry.miou):
            board.add_scalar("val/miou", entry.miou, entry.epoch)
        for name, iou in per_class.items():
            board.add_scalar(f"val/iou/{name}", iou, entry.epoch)


def draw_curves(folder: Path) -> Path:
    """Draws loss and mIoU over the epochs of `folder`/log.csv, and returns the picture's path."""
    with (folder / CSV).open(encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    left.plot([row["epoch"] for row in rows], [row["loss"] for row in rows], color="tab:gray", label="loss")
    left.set_xlabel("epoch")
    left.set_ylabel("loss")
    left.set_ylim(bottom=0)
    left.grid(alpha=0.25)
    measured = [(row["epoch"], 100 * row["val_miou"]) for row in rows if math.isfinite(row["val_miou"])]
    if measured:
        right = left.twinx()
        right.plot(*zip(*measured, strict=True), color="tab:blue", marker="o", label="mIoU of the averaged weights")
        right.set_ylabel("val mIoU, %", color="tab:blue")
        epoch, best = max(measured, key=lambda point: point[1])
        right.annotate(f"{best:.1f}", (epoch, best), xytext=(0, 8), textcoords="offset points", ha="center")
        right.margins(y=0.15)
    left.set_title(folder.name)
    draft = folder / f"{CURVES}.part"
    figure.savefig(draft, dpi=120, format="png")
    return draft.replace(folder / CURVES)


def _append(path: Path, entry: Entry) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["epoch", "loss", "val_miou", "lr", "seconds"])
        loss, miou = f"{entry.loss:.5f}", f"{entry.miou:.5f}"
        writer.writerow([entry.epoch, loss, miou, f"{entry.lr:.3g}", f"{entry.seconds:.1f}"])
