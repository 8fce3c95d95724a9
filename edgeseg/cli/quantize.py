"""`edgeseg quantize`"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from edgeseg.cli.clashes import data_folder, refuse_clashes
from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.core.errors import EdgesegError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from edgeseg.deploy.quantize import Outcome

SHOWN = 12
"""Layers of the ranking that are shown; the report holds all."""


@dataclass(frozen=True)
class Quantize:
    """Make FP16 and INT8 graphs of a model, and keep them only if they cost no more points than you allow."""

    bundle: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE")]
    """A model's name or folder (see `edgeseg models`)."""

    data: str
    """Labelled images to calibrate with and to judge by, KIND:WHERE as for `edgeseg eval`."""

    precision: Literal["all", "fp16", "int8"] = "all"
    """Which graph to make."""

    max_drop: float = 0.5
    """How many points of mIoU (of mask AP, for instances) a graph may cost; the layers that cost most stay in FP32 for it."""

    calibrate: str = "train"
    """The split to calibrate with; a data set without it is halved."""

    split: str = "val"
    """The split to judge by; its images are never calibrated with."""

    images: int = 128
    """How many images to calibrate with, evenly spaced."""

    judged: int = 500
    """How many images to judge by at most, evenly spaced."""

    force: bool = False
    """Calibrate with fewer than 32 images."""

    calib: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where to record images, ranges and report; calib/NAME beside engines/ unless given."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the report as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Makes, judges, prints, and keeps what held. Returns the exit status."""
        from edgeseg.core.catalog import open_bundle
        from edgeseg.deploy.keep import calib_folder, keep, report
        from edgeseg.deploy.quantize import PRECISIONS, Wishes, quantize

        check_json_file(self.json)
        refuse_clashes([data_folder(self.data)], {"--json": self.json})
        console = console_beside(self.json)
        bundle = open_bundle(self.bundle)
        precisions = PRECISIONS if self.precision == "all" else (self.precision,)
        wishes = Wishes(
            precisions, self.data, self.calibrate, self.split, self.images, self.judged, self.max_drop, self.force
        )
        with _progress(console) as progress:
            outcome = quantize(bundle, wishes, _steps(progress))
        self._print(outcome, console)
        write_json(self.json, report(outcome))
        if not outcome.held:
            raise EdgesegError(_failure(outcome))
        folder = self.calib or calib_folder(bundle)
        kept = keep(outcome, folder)
        console.print(f"{kept.path}: {', '.join(kept.graphs)}; the records: {folder}")
        if outcome.verdict:
            console.print(outcome.verdict, style="bold")
        return 0

    def _print(self, outcome: Outcome, console: Console) -> None:
        for warning in outcome.chosen.warnings:
            console.print(f"warning: {warning}", style="yellow")
        console.print(f"calibrated with {outcome.chosen.how}; judged by {len(outcome.chosen.judged)} images of")
        console.print(f"{self.data}, {outcome.chosen.split}, onnxruntime", style="bold")
        console.print(_scores(outcome))
        if outcome.methods:
            compared = ", ".join(f"{how} {points:.2f}" for how, points in outcome.methods.items())
            console.print(f"ranges by {outcome.method} ({outcome.reference.metric} on trial images: {compared})")
        if outcome.costs:
            console.print(_layers(outcome))
        for precision, made in outcome.made.items():
            for reason, layers in made.by_reason().items():
                more = f" and {len(layers) - 1} more stay" if len(layers) > 1 else " stays"
                console.print(f"{precision}: {layers[0]}{more} in FP32: {reason}")
        if outcome.timings:
            console.print(_timings(outcome))


def _progress(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _steps(progress: Progress) -> Callable[[str, int], Callable[[], object]]:
    """One bar a step; what is done stays, until all is."""

    def begin(what: str, total: int) -> Callable[[], object]:
        task = progress.add_task(what, total=total)
        return lambda: progress.advance(task)

    return begin


def _failure(outcome: Outcome) -> str:
    precision = max(outcome.made, key=outcome.drop)
    tried = f", with {max(outcome.tries)} layers in FP32 too" if precision == "int8" and max(outcome.tries) else ""
    return (
        f"{precision} costs {outcome.drop(precision):.2f} points of {outcome.reference.metric}{tried}, "
        f"{outcome.wishes.max_drop:g} are allowed: nothing was written; allow more with --max-drop, or give more --images"
    )


def _scores(outcome: Outcome) -> Table:
    from rich.table import Table

    scores = {"fp32": outcome.reference, **{key: made.score for key, made in outcome.made.items()}}
    table = Table()
    table.add_column("class")
    for precision in scores:
        table.add_column(precision, justify="right")
    for name, before in outcome.reference.per_class.items():
        table.add_row(name, *(_beside(score.per_class[name], before) for score in scores.values()))
    table.add_section()
    points = (_beside(score.points, outcome.reference.points) for score in scores.values())
    table.add_row(f"{outcome.reference.metric} %", *points, style="bold")
    return table


def _beside(value: float | None, before: float | None) -> str:
    """A score, with its difference from FP32's."""
    if value is None or before is None:
        return "-"
    return f"{value:.1f}" if value is before else f"{value:.1f} {value - before:+.2f}"


def _layers(outcome: Outcome) -> Table:
    from rich.table import Table

    table = Table(title="the layers that cost most, each alone in INT8", title_justify="left")
    table.add_column("layer")
    table.add_column("error of the outputs", justify="right")
    for cost in outcome.costs[:SHOWN]:
        table.add_row(cost.layer, f"{cost.error:.4f}")
    tries = ", ".join(f"{count}: {points:.2f}" for count, points in sorted(outcome.tries.items()))
    table.caption = f"{outcome.reference.metric} by layers left in FP32: {tries}"
    return table


def _timings(outcome: Outcome) -> Table:
    from rich.table import Table

    table = Table(title="one image, one thread, in turns", title_justify="left")
    for head in ("engine", "precision", "ms"):
        table.add_column(head, justify="right" if head == "ms" else "left")
    for timing in outcome.timings:
        table.add_row(timing.engine, timing.precision, f"{timing.ms:.3g}")
    return table
