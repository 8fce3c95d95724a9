"""`edgeseg eval`"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json


@dataclass(frozen=True)
class Eval:
    """Measure how right a model is on labelled images: mIoU, pixel accuracy, Dice, IoU of each class."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A model's name or folder (see `edgeseg models`)."""

    data: str
    """Labelled images, KIND:WHERE: camvid:DIR, or street:frames=N,seed=S."""

    split: str = "val"
    """Which part of the data set."""

    engine: str = "auto"
    """auto, openvino, onnxruntime."""

    precision: str = "auto"
    """auto, fp32, bf16, fp16, int8."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Judges and prints. Returns the exit status."""
        from rich.progress import track
        from rich.table import Table

        from edgeseg.bench.accuracy import judge
        from edgeseg.data.samples import open_samples
        from edgeseg.runtime.cpu import usable_cores
        from edgeseg.runtime.segmenter import load

        check_json_file(self.json)
        console = console_beside(self.json)
        samples = open_samples(self.data, self.split)
        with load(self.model, engine=self.engine, precision=self.precision, threads=usable_cores()) as segmenter:
            ticks = iter(track(range(len(samples)), "judging", console=console, transient=True))
            next(ticks, None)
            figures = judge(segmenter, samples, lambda done: next(ticks, None))
            engine = segmenter.engine
        table = Table(
            "class", "IoU %", title=f"{self.model} on {self.data}, {self.split}, {engine.name} {engine.precision}"
        )
        for name, iou in figures["per_class"].items():
            table.add_row(name, "-" if iou is None else f"{100 * iou:.1f}")
        table.add_section()
        for name in ("miou", "pixel_accuracy", "dice"):
            value = figures[name]
            table.add_row(name, "-" if value is None else f"{100 * value:.1f}", style="bold" if name == "miou" else "")
        console.print(table)
        console.print(f"{figures['images']} images; engine taken: {engine.reason}")
        document = {**figures, "data": self.data, "split": self.split, "model": self.model}
        write_json(self.json, {**document, "engine": vars(engine)})
        return 0
