"""`edgeseg build`"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json

if TYPE_CHECKING:
    from types import ModuleType

    from rich.console import Console
    from rich.progress import Progress, TaskID

    from edgeseg.core.bundle import Bundle
    from edgeseg.deploy.build import Plan
    from edgeseg.runtime.engine_file import EngineFile


@dataclass(frozen=True)
class Build:
    """Build a model's TensorRT engines for this device."""

    bundle: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE")]
    """A model's name or folder; the engines are kept in its folder trt/."""

    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"
    """Which graph to build; auto builds each that the bundle has."""

    builder: Literal["auto", "tensorrt", "tensorrt_rtx"] = "auto"
    """tensorrt times kernels on the GPU here; tensorrt_rtx needs none, and is for desktop GPUs. auto: the first that can."""

    compute_capability: Annotated[str, tyro.conf.arg(metavar="any|8.6")] = "any"
    """For tensorrt_rtx: the kind of GPU to build for; any holds for each from Ampere (8.0) on."""

    workspace: Annotated[int | None, tyro.conf.arg(metavar="MIB")] = None
    """Memory of the GPU that one layer may take; by default all there is."""

    force: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Build also where an engine that fits is kept already."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write what was built as one JSON document to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Builds, and prints for each precision what was done and why. Returns the exit status."""
        from edgeseg.core.catalog import open_bundle
        from edgeseg.core.errors import UsageError
        from edgeseg.deploy.build import choose_builder, plan, precisions

        check_json_file(self.json)
        if self.workspace is not None and self.workspace < 1:
            raise UsageError(f"--workspace {self.workspace}: give it in MiB, at least 1")
        bundle = open_bundle(self.bundle)
        wanted = precisions(bundle, self.precision)
        trt = choose_builder(self.builder)
        plans = [plan(bundle, precision, trt, self.compute_capability) for precision in wanted]
        console, rows = console_beside(self.json), []
        console.print(f"{bundle.path}: {trt.__name__} {trt.__version__}, {_device(plans[0])}", soft_wrap=True)
        for one in plans:
            engine, seconds = self._engine(bundle, one, trt, console)
            about = {"path": str(engine.path), "bytes": engine.size, "seconds": seconds, "reasons": list(one.reasons)}
            rows.append({**about, **asdict(one.key)})
        write_json(self.json, rows)
        return 0

    def _engine(self, bundle: Bundle, plan: Plan, trt: ModuleType, console: Console) -> tuple[EngineFile, float | None]:
        """Returns the engine of a plan, and the seconds that it took to build; None where it was kept."""
        from edgeseg.deploy.build import build

        precision = plan.key.precision
        if plan.kept is not None and not self.force:
            console.print(f"{precision}: {plan.kept.path.name} fits, kept (--force builds it anew)", soft_wrap=True)
            return plan.kept, None
        for reason in plan.reasons:
            console.print(f"{precision}: does not fit: {reason}", soft_wrap=True)
        began = time.perf_counter()
        with _progress(console, f"building {precision}") as progress:
            engine = build(bundle, plan, trt, _Bars(progress), self.workspace and self.workspace << 20)
        took = time.perf_counter() - began
        console.print(f"{precision}: {engine.path} ({engine.size / 1e6:.1f} MB in {took:.1f} s)", soft_wrap=True)
        return engine, took


def _device(plan: Plan) -> str:
    from edgeseg.runtime.engine_file import ANY

    capability = plan.key.compute_capability
    kind = f"{capability.rstrip('+')} or later" if capability.endswith("+") else capability
    return f"for {'GPUs' if plan.key.gpu == ANY else plan.key.gpu} of compute capability {kind}"


def _progress(console: Console, title: str) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task(title, total=None)
    return progress


class _Bars:
    """The builder's phases as bars, each indented below the phase that it is a part of."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, tuple[TaskID, int]] = {}

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        depth = self._tasks[parent][1] + 1 if parent in self._tasks else 1
        self._tasks[phase] = (self._progress.add_task("  " * depth + phase, total=steps), depth)

    def step(self, phase: str, done: int) -> None:
        if phase in self._tasks:
            self._progress.update(self._tasks[phase][0], completed=done)

    def end(self, phase: str) -> None:
        task, _ = self._tasks.pop(phase, (None, 0))
        if task is not None:
            self._progress.remove_task(task)
