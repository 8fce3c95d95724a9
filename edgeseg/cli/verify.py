"""`edgeseg verify`"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.core.errors import EdgesegError, UsageError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edgeseg.core.bundle import Bundle
    from edgeseg.deploy.verify import Verification
    from edgeseg.runtime.choose import Choice
    from edgeseg.runtime.segmenter import InstanceSegmenter, SemanticSegmenter

REFERENCE = "onnxruntime"
"""The engine that others are compared with, where the precision asked for is one of its own."""
ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Verify:
    """Compare two precisions or engines of one model on the same frames: how many pixels agree, how far the network's
    outputs lie apart, and where, as a picture."""

    bundle: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE")]
    """A model's name or folder (see `edgeseg models`)."""

    against: Annotated[str, tyro.conf.arg(metavar="PRECISION")] = "fp32"
    """What it is compared with: fp32, bf16, fp16, int8; on ONNX Runtime where that has it, else on another engine."""

    precision: str = "auto"
    """What is looked at: auto, fp32, bf16, fp16, int8."""

    engine: str = "auto"
    """auto, openvino, onnxruntime."""

    data: Annotated[str | None, tyro.conf.arg(metavar="KIND:DIR|SOURCE")] = None
    """Frames: a data set as `eval` takes it, or a source as `run` takes it. Without: the rendered street."""

    split: str = "val"
    """Which part of the data set."""

    frames: Annotated[int, tyro.conf.arg(metavar="N")] = 24
    """How many frames at most; of a data set, from all over it."""

    at_least: Annotated[float | None, tyro.conf.arg(metavar="PERCENT")] = None
    """How many percent of the pixels must agree. Without: 99 where one of the two is INT8, else 99.8. Of the things that an
    instance model finds, 90 and 95 percent must be found by both."""

    picture: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw the frame on which they agree least to this file, .jpg or .png."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the figures as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Compares and prints. Returns the exit status; raises EdgesegError, at the end, where too few pixels agree."""
        from edgeseg.core.catalog import open_bundle
        from edgeseg.deploy.verify import least_agreement

        check_json_file(self.json)
        self._check_options()
        console = console_beside(self.json)
        bundle = open_bundle(self.bundle)
        reference, tested = self._pair(bundle)
        verification = self._compare(bundle, reference, tested, console)
        figures = verification.figures()
        console.print(
            f"{bundle.name}: {_said(tested)} against {_said(reference)}, {figures['frames']} frames", style="bold"
        )
        console.print(_table(figures))
        console.print(_summary(figures))
        picture = _write_picture(verification, self.picture) if self.picture is not None else None
        if picture is not None:
            console.print(f"where they agree least: {picture}")
        engines = {"engine": vars(verification.tested), "reference": vars(verification.reference)}
        pixels, things = least_agreement(reference.precision, tested.precision)
        pixels = pixels if self.at_least is None else self.at_least / 100
        asked = {
            "model": bundle.name,
            "data": self.data or "the rendered street",
            "at_least": pixels,
            "picture": picture,
        }
        write_json(self.json, {**figures, **asked, **engines})
        if short := _too_few(figures, pixels, things):
            raise EdgesegError(
                f"{bundle.name}: {_said(tested)} and {_said(reference)} agree on {short}: {_advice(tested, picture)}"
            )
        return 0

    def _check_options(self) -> None:
        from edgeseg.runtime.choose import PRECISIONS
        from edgeseg.streaming.sinks.files import draft_beside

        if self.against not in PRECISIONS:
            raise UsageError(f"--against {self.against}: no such precision; {did_you_mean(self.against, PRECISIONS)}")
        if self.at_least is not None and not 0 <= self.at_least <= 100:
            raise UsageError(f"--at-least {self.at_least:g}: give a percentage, 0 to 100")
        if self.picture is not None:
            draft_beside(self.picture, ENDINGS)

    def _pair(self, bundle: Bundle) -> tuple[Choice, Choice]:
        """Returns what it is compared with, and what is looked at. Raises UsageError where they would be one and the same."""
        from edgeseg.runtime.choose import PACKAGE_OF, choose

        tested = choose(bundle, self.engine, self.precision)
        there = _there(bundle)
        for engine in sorted(PACKAGE_OF, key=lambda name: name != REFERENCE):
            if (engine, self.against) in there and (engine, self.against) != (tested.engine, tested.precision):
                return choose(bundle, engine, self.against), tested
        known = ", ".join(f"{engine} {precision}" for engine, precision in there)
        raise UsageError(
            f"{bundle.name} has no {self.against} to compare {_said(tested)} with; here are {known}: "
            "name two of them with --against, --precision and --engine"
        )

    def _compare(self, bundle: Bundle, reference: Choice, tested: Choice, console: Console) -> Verification:
        from rich.progress import track

        from edgeseg.deploy.frames import frames_of
        from edgeseg.deploy.verify import Verification
        from edgeseg.runtime.cpu import usable_cores
        from edgeseg.runtime.segmenter import load

        def opened(choice: Choice) -> SemanticSegmenter | InstanceSegmenter:
            return load(bundle.path, engine=choice.engine, precision=choice.precision, threads=usable_cores())

        frames = frames_of(self.data, self.split, self.frames)
        with opened(reference) as one, opened(tested) as other:
            verification = Verification(one, other)
            for name, image in track(frames, "comparing", self.frames, console=console, transient=True):
                verification.add(name, image)
        return verification


def _there(bundle: Bundle) -> list[tuple[str, str]]:
    """The engines and precisions that can compute a bundle here."""
    from edgeseg.runtime.choose import PACKAGE_OF, PRECISIONS, choose, installed

    there: list[tuple[str, str]] = []
    for engine in filter(installed, PACKAGE_OF):
        for precision in PRECISIONS:
            with contextlib.suppress(EdgesegError):
                choose(bundle, engine, precision)
                there.append((engine, precision))
    return there


def _write_picture(verification: Verification, path: Path) -> str:
    import cv2

    from edgeseg.streaming.sinks.files import draft_beside

    draft = draft_beside(path, ENDINGS)
    _, encoded = cv2.imencode(path.suffix.lower(), verification.picture())
    try:
        draft.write_bytes(encoded.tobytes())
        draft.replace(path)
    except OSError as error:
        raise EdgesegError(f"{path} can't be written ({error.strerror}): free some space") from error
    finally:
        draft.unlink(missing_ok=True)
    return str(path)


def _table(figures: dict[str, Any]) -> Table:
    from rich.table import Table

    from edgeseg.deploy.verify import percent

    table = Table()
    table.add_column("class")
    table.add_column("pixels that agree", justify="right")
    for name, share in figures["per_class"].items():
        table.add_row(name, "-" if share is None else percent(share))
    table.add_section()
    table.add_row("all", percent(figures["agreement"]), style="bold")
    table.add_row(f"least, {figures['worst']['name']}", percent(figures["worst"]["agreement"]))
    return table


def _summary(figures: dict[str, Any]) -> str:
    """Lines on the network's outputs and, of instances, on the things."""
    from edgeseg.deploy.verify import percent

    lines = [
        f"{name}: at most {off['largest']:.3g} apart, {off['mean']:.2g} on average (their deviation is {off['deviation']:.3g})"
        for name, off in figures["outputs"].items()
    ]
    if "things" in figures:
        things = figures["things"]
        line = f"things: {things['tested']} and {things['reference']}, {percent(things['share'])} of them matched"
        if things["matched"]:
            scores = things["score_difference"]
            line += (
                f"; masks' mean IoU {percent(things['mask_iou'])}, scores {scores['mean']:.3f} apart on average, "
                f"at most {scores['largest']:.3f}"
            )
        lines.append(line)
    return "\n".join(lines)


def _too_few(figures: dict[str, Any], pixels: float, things: float) -> str:
    """What fewer agree on than these shares, "" where there is nothing: "97.31 % of the pixels, 99.00 % asked for"."""
    from edgeseg.deploy.verify import percent

    shares = [("pixels", figures["agreement"], pixels)]
    if "things" in figures:
        shares.append(("things", figures["things"]["share"], things))
    return " and ".join(
        f"{percent(share)} of the {what}, {percent(least)} asked for" for what, share, least in shares if share < least
    )


def _advice(tested: Choice, picture: str | None) -> str:
    see = f"see {picture}" if picture else "see where with --picture FILE.png"
    anew = " or `edgeseg quantize` it anew" if tested.precision == "int8" else ""
    return f"{see}, take another precision{anew}"


def _said(choice: Choice) -> str:
    return f"{choice.engine} {choice.precision}"
