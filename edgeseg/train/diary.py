"""What a run tells of itself: log.csv, a TensorBoard log, and its curves as a picture."""

from __future__ import annotations

import csv
import io
import math
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from tensorboardX.proto.event_pb2 import Event  # type: ignore[attr-defined]  (made at import from its description)
from tensorboardX.proto.summary_pb2 import Summary  # type: ignore[attr-defined]
from tensorboardX.record_writer import masked_crc32c

from edgeseg.core.errors import EdgesegError

CSV = "log.csv"
BOARD = "tensorboard"
CURVES = "curves.png"
WORDS = {"miou": "mIoU", "mask_ap": "mask AP"}
"""A task's figure in words."""


@dataclass(frozen=True)
class Entry:
    """An epoch. loss: its mean. value: of the task's figure, of the averaged weights, NaN where it was not measured.
    lr: at its end."""

    epoch: int
    loss: float
    value: float
    lr: float
    seconds: float


def write(folder: Path, entry: Entry, figure: str, per_class: Mapping[str, float]) -> None:
    """Adds an epoch to `folder`/log.csv, column "val_" + figure, and to `folder`/tensorboard.

    figure: what the task is measured by, a key of `WORDS`. per_class: the same by class name, where it was measured.
    Raises EdgesegError where the disk does not take it.
    """
    scalars = {"loss": entry.loss, "lr": entry.lr}
    if math.isfinite(entry.value):
        scalars[f"val/{figure}"] = entry.value
    one = "iou" if figure == "miou" else figure
    scalars |= {f"val/{one}/{name}": value for name, value in per_class.items()}
    with _told(folder):
        _add_line(folder / CSV, entry, figure)
        _add_events(folder / BOARD, entry.epoch, scalars)


def draw_curves(folder: Path) -> Path:
    """Draws loss and the task's figure over the epochs of `folder`/log.csv, and returns the picture's path.

    Raises EdgesegError where the disk does not take it.
    """
    with (folder / CSV).open(encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    left.plot([row["epoch"] for row in rows], [row["loss"] for row in rows], color="tab:gray", label="loss")
    left.set_xlabel("epoch")
    left.set_ylabel("loss")
    left.set_ylim(bottom=0)
    left.grid(alpha=0.25)
    column = next(name for name in rows[0] if name.startswith("val_"))
    measured = [(row["epoch"], 100 * row[column]) for row in rows if math.isfinite(row[column])]
    if measured:
        words = WORDS[column.removeprefix("val_")]
        right = left.twinx()
        right.plot(*zip(*measured, strict=True), color="tab:blue", marker="o", label=f"{words} of the averaged weights")
        right.set_ylabel(f"val {words}, %", color="tab:blue")
        epoch, best = max(measured, key=lambda point: point[1])
        right.annotate(f"{best:.1f}", (epoch, best), xytext=(0, 8), textcoords="offset points", ha="center")
        right.margins(y=0.15)
    left.set_title(folder.name)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format="png")
    with _told(folder):
        _write_whole(folder / CURVES, picture.getvalue())
    return folder / CURVES


def _add_line(path: Path, entry: Entry, figure: str) -> None:
    head = f"epoch,loss,val_{figure},lr,seconds\n"
    line = f"{entry.epoch},{entry.loss:.5f},{entry.value:.5f},{entry.lr:.3g},{entry.seconds:.1f}\n"
    # Older logs call every figure val_miou: what is kept of them is all but the head.
    kept = path.read_text(encoding="utf-8").splitlines(keepends=True)[1:] if path.exists() else []
    _write_whole(path, "".join([head, *kept, line]).encode())


def _add_events(folder: Path, epoch: int, scalars: Mapping[str, float]) -> None:
    # One file an epoch, in TensorBoard's framing: its usual writer is a thread, which a full disk ends without a word.
    folder.mkdir(exist_ok=True)
    values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
    events = Event(file_version="brain.Event:2"), Event(step=epoch, summary=Summary(value=values))
    for event in events:
        event.wall_time = time.time()
    _write_whole(folder / f"events.out.tfevents.{epoch:06d}", b"".join(map(_record, events)))


def _record(event: Event) -> bytes:
    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    sums = [struct.pack("<I", masked_crc32c(part)) for part in (length, content)]
    return length + sums[0] + content + sums[1]


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.parent / "draft.part"
    draft.write_bytes(content)
    draft.replace(path)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EdgesegError(
            f"{folder}: the log can't be written ({error.strerror}); the checkpoint is whole: make room and --resume"
        ) from error
