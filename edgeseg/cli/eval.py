"""`edgeseg eval`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Eval:
    """Measure how right a model is on labelled images: mIoU, pixel accuracy, and each class's IoU, Dice, boundary F1."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A model's name or folder (see `edgeseg models`)."""

    data: str
    """Labelled images, KIND:WHERE: camvid:DIR, cityscapes:DIR, coco:DIR[,classes=A+B], folder:DIR, street:frames=N,seed=S."""

    split: str = "val"
    """Which part of the data set."""

    engine: str = "auto"
    """auto, openvino, onnxruntime."""

    precision: str = "auto"
    """auto, fp32, bf16, fp16, int8."""

    tta: bool = False
    """Judge a second time with test-time augmentation: what mirroring and larger views buy, and cost."""

    worst: Annotated[Path | None, tyro.conf.arg(metavar="FILE.jpg")] = None
    """Draw the six worst frames to this file: image, truth, answer, where wrong."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Judges and prints. Returns the exit status."""
        from rich.progress import track

        from edgeseg.bench.accuracy import judge
        from edgeseg.bench.worst import WorstFrames
        from edgeseg.data.samples import open_samples
        from edgeseg.runtime.cpu import usable_cores
        from edgeseg.runtime.segmenter import load

        check_json_file(self.json)
        console = console_beside(self.json)
        samples = open_samples(self.data, self.split)
        with load(self.model, engine=self.engine, precision=self.precision, threads=usable_cores()) as segmenter:
            worst = WorstFrames(self.worst, segmenter.bundle) if self.worst else None
            ticks = iter(track(range(len(samples)), "judging", console=console, transient=True))
            next(ticks, None)
            figures = judge(segmenter, samples, lambda done: next(ticks, None), tta=self.tta, worst=worst)
            engine = segmenter.engine
        console.print(f"{self.model} on {self.data}, {self.split}, {engine.name} {engine.precision}", style="bold")
        console.print(_classes_table(figures))
        if self.tta:
            console.print(_tta_table(figures))
        console.print(
            f"{figures['images']} images, {figures['frame_ms']:.1f} ms a frame; engine taken: {engine.reason}"
        )
        if worst is not None:
            console.print(f"the worst frames: {worst.write()}")
        document = {**figures, "data": self.data, "split": self.split, "model": self.model}
        write_json(self.json, {**document, "engine": vars(engine)})
        return 0


def _classes_table(figures: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column("class")
    columns = (("IoU %", "per_class"), ("Dice %", "per_class_dice"), ("boundary F1 %", "per_class_boundary_f1"))
    for head, _ in columns:
        table.add_column(head, justify="right")
    for name in figures["per_class"]:
        table.add_row(name, *(_percent(figures[key][name]) for _, key in columns))
    table.add_section()
    table.add_row("mean", *(_percent(figures[key]) for key in ("miou", "dice", "boundary_f1")), style="bold")
    table.add_row("pixel accuracy", _percent(figures["pixel_accuracy"]))
    return table


def _tta_table(figures: dict[str, Any]) -> Table:
    from rich.table import Table

    richer = figures["tta"]
    table = Table(title=f"test-time augmentation: {richer['views']} views a frame")
    for head in ("", "one view", "augmented", "difference"):
        table.add_column(head, justify="right" if head else "left")
    for row, key in (
        ("mIoU %", "miou"),
        ("pixel accuracy %", "pixel_accuracy"),
        ("Dice %", "dice"),
        ("boundary F1 %", "boundary_f1"),
    ):
        before, after = figures[key], richer[key]
        bought = "-" if before is None or after is None else f"{100 * (after - before):+.1f}"
        table.add_row(row, _percent(before), _percent(after), bought)
    cost = richer["frame_ms"] / figures["frame_ms"]
    table.add_row("ms a frame", f"{figures['frame_ms']:.1f}", f"{richer['frame_ms']:.1f}", f"x{cost:.1f}")
    return table


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}"
