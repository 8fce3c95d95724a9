"""`edgeseg eval`"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from edgeseg.cli.clashes import data_folder, refuse_clashes
from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.table import Table

    from edgeseg.core.bundle import Bundle
    from edgeseg.core.result import EngineInfo
    from edgeseg.evaluate.worst import WorstFrames
    from edgeseg.runtime.segmenter import InstanceSegmenter, SemanticSegmenter

NOTHING, NOTHING_COLOUR = "nothing", (0, 0, 0)
"""What the picture of the worst frames calls a pixel without a thing, and its RGB there."""


@dataclass(frozen=True)
class Eval:
    """Measure how right a model is on labelled images: mIoU, pixel accuracy, and each class's IoU, Dice, boundary F1; of
    an instance model, COCO's average precision of masks and of boxes."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """A model's name or folder (see `edgeseg models`)."""

    data: str
    """Labelled images, KIND:WHERE: camvid:DIR, cityscapes:DIR, coco:DIR[,classes=A+B], folder:DIR, street:frames=N,seed=S;
    for instance models coco and street."""

    split: str = "val"
    """Which part of the data set."""

    engine: str = "auto"
    """auto, openvino, onnxruntime."""

    precision: str = "auto"
    """auto, fp32, bf16, fp16, int8."""

    tta: bool = False
    """Judge a second time with test-time augmentation: what mirroring and larger views buy, and cost."""

    worst: Annotated[Path | None, tyro.conf.arg(metavar="FILE.jpg")] = None
    """Draw the six worst frames to this file: image, truth, answer, where wrong; of instances, by class."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Judges and prints. Returns the exit status."""
        from edgeseg.core.catalog import open_bundle

        check_json_file(self.json)
        refuse_clashes([data_folder(self.data)], {"--worst": self.worst, "--json": self.json})
        console = console_beside(self.json)
        bundle = open_bundle(self.model)
        things = bundle.task == "instances"
        if things and self.tta:
            raise UsageError(f"--tta averages label maps, and {bundle.name} answers with instances: leave it out")
        figures, engine, worst = (self._judge_things if things else self._judge_labels)(bundle, console)
        console.print(f"{self.model} on {self.data}, {self.split}, {engine.name} {engine.precision}", style="bold")
        console.print((_precision_table if things else _classes_table)(figures))
        if self.tta:
            console.print(_tta_table(figures))
        console.print(
            f"{figures['images']} images, {figures['frame_ms']:.1f} ms a frame; engine taken: {engine.reason}"
        )
        seen = bundle.trained_on(self.data, self.split)
        if seen:
            console.print(f"{bundle.name} was trained on these images: expect less of unseen ones", style="yellow")
        if worst is not None:
            console.print(f"the worst frames: {worst.write()}")
        document = {**figures, "data": self.data, "split": self.split, "trained_on": seen, "model": self.model}
        write_json(self.json, {**document, "engine": vars(engine)})
        return 0

    def _judge_labels(self, bundle: Bundle, console: Console) -> tuple[dict[str, Any], EngineInfo, WorstFrames | None]:
        from edgeseg.data.samples import open_samples
        from edgeseg.evaluate.accuracy import judge
        from edgeseg.runtime.segmenter import SemanticSegmenter

        samples = open_samples(self.data, self.split)
        with self._load(bundle) as segmenter:
            assert isinstance(segmenter, SemanticSegmenter)
            worst = self._worst_frames(bundle)
            figures = judge(segmenter, samples, _progress(len(samples), console), tta=self.tta, watcher=worst)
            return figures, segmenter.engine, worst

    def _judge_things(self, bundle: Bundle, console: Console) -> tuple[dict[str, Any], EngineInfo, WorstFrames | None]:
        from edgeseg.data.instance_samples import open_instances
        from edgeseg.evaluate.instance_accuracy import judge_instances
        from edgeseg.runtime.segmenter import InstanceSegmenter

        samples = open_instances(self.data, self.split)
        with self._load(bundle) as segmenter:
            assert isinstance(segmenter, InstanceSegmenter)
            classes, palette = (*bundle.classes, NOTHING), (*bundle.palette, NOTHING_COLOUR)
            worst = self._worst_frames(replace(bundle, classes=classes, palette=palette))
            figures = judge_instances(segmenter, samples, _progress(len(samples), console), worst=worst)
            return figures, segmenter.engine, worst

    def _load(self, bundle: Bundle) -> SemanticSegmenter | InstanceSegmenter:
        from edgeseg.runtime.cpu import usable_cores
        from edgeseg.runtime.segmenter import load

        return load(bundle.path, engine=self.engine, precision=self.precision, threads=usable_cores())

    def _worst_frames(self, bundle: Bundle) -> WorstFrames | None:
        from edgeseg.evaluate.worst import WorstFrames

        return WorstFrames(self.worst, bundle) if self.worst else None


def _progress(images: int, console: Console) -> Callable[[int], object]:
    """What to call after each image; a bar moves on the console."""
    from rich.progress import track

    ticks = iter(track(range(images), "judging", console=console, transient=True))
    next(ticks, None)
    return lambda done: next(ticks, None)


def _precision_table(figures: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table()
    table.add_column("average precision %")
    for head in ("all", "IoU 50", "IoU 75", "small", "medium", "large"):
        table.add_column(head, justify="right")
    kinds = ("", "50", "75", "_small", "_medium", "_large")
    for kind in ("mask", "box"):
        table.add_row(kind, *(_percent(figures.get(f"{kind}_ap{end}")) for end in kinds))
    table.add_section()
    for name, precision in figures["per_class"].items():
        table.add_row(f"mask, {name}", _percent(precision))
    return table


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
