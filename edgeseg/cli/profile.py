"""`edgeseg profile`"""

from __future__ import annotations

import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from edgeseg.cli.clashes import data_folder, refuse_clashes
from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from edgeseg.profile.assembly import Setting
    from edgeseg.profile.budget import Budget
    from edgeseg.profile.journal import Journal
    from edgeseg.profile.plan import Plan
    from edgeseg.profile.rows import Row

INTERRUPTED = 130
PART = ".part"
STILL = 60
"""The frame of the clip that the stills show."""


@dataclass(frozen=True)
class Profile:
    """Measure what each model costs on this machine and what it is worth: rates, ages, stages, memory, beside accuracy."""

    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")] = ()
    """Names or folders; without one, every model in reach (see `edgeseg models`)."""

    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="KIND:WHERE")] = ()
    """Labelled images as for `edgeseg eval`; may be given again, and a model is judged on the first that has its classes.
    Without: street:frames=36,seed=1, rendered."""

    split: str = "val"
    """Which part of the data."""

    images: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Judge at most N images, spread over the split; the report says so."""

    engine: Annotated[str, tyro.conf.arg(metavar="NAME[,NAME]")] = "all"
    """Which engines: all that open here, or openvino,onnxruntime."""

    precision: Annotated[str, tyro.conf.arg(metavar="NAME[,NAME]")] = "all"
    """Which precisions: all, or fp32,bf16,fp16,int8."""

    clip: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Time the loop on this clip; without, on 4 s of the built-in street at 1280x720, H.264."""

    live_fps: float = 30.0
    """Frames a second of the live source."""

    rounds: int | None = None
    """How many turns each row has; without, three, or two of more than thirty rows."""

    seconds: float | None = None
    """How long each measurement of a turn lasts; without, 1 to 3, so that the whole takes some twelve minutes."""

    sustained: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """After that, play each row for so long and see whether its rate drops."""

    robustness: bool = False
    """Also mIoU under blur, noise, dark, rain and JPEG at five strengths, and flicker; one row a model."""

    fps: float | None = None
    """Budget: frames a second that are needed over a file."""

    max_age: Annotated[float | None, tyro.conf.arg(metavar="MS")] = None
    """Budget: how old a mask may be at delivery, 95 of 100, from the live source."""

    min_miou: Annotated[float | None, tyro.conf.arg(metavar="SHARE")] = None
    """Budget: least mIoU (of instance models mask AP), 0..1."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the rows as a JSON list to this file ("-" for standard output)."""

    csv: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the main figures as comma-separated values."""

    markdown: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write a Markdown table; in a file that stands, between <!-- profile --> and <!-- /profile -->."""

    html: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the report as one HTML file."""

    resume: bool = False
    """Go on with the profile that was interrupted while it wrote --json FILE; the other options as they were."""

    read: Annotated[Path | None, tyro.conf.arg(name="from", metavar="FILE")] = None
    """Measure nothing: write tables, report and the budget's answer from an earlier --json, of the models, engines and
    precisions that are named, or of all."""

    compare: Annotated[tuple[Path, Path] | None, tyro.conf.arg(metavar="BEFORE AFTER")] = None
    """Measure nothing: say what changed beyond noise between two earlier --json."""

    def execute(self) -> int:
        """Measures, or reads, and writes. Returns the exit status."""
        self._check()
        console = console_beside(self.json)
        if self.compare is not None:
            return self._compare(*self.compare, console)
        if self.read is not None:
            from edgeseg.profile.rows import read_rows

            self._write(self._chosen(read_rows(self.read)), console)
            return 0
        return self._measure(console)

    def _measure(self, console: Console) -> int:
        from edgeseg.profile.candidates import find_candidates
        from edgeseg.profile.clip import frame_of
        from edgeseg.profile.journal import Journal
        from edgeseg.profile.judging import Labelled
        from edgeseg.profile.machine import describe_machine
        from edgeseg.profile.plan import Plan, rounds_for, seconds_for
        from edgeseg.profile.timing import Pace

        labelled = Labelled(self.data or ("street:frames=36,seed=1",), self.split, self.images)
        with tempfile.TemporaryDirectory(prefix="edgeseg-profile-") as scratch:
            folder = Path(scratch)
            with console.status("opening what this machine can run"):
                candidates, left_out = find_candidates(self.models, _names(self.engine), _names(self.precision))
            for sentence in left_out:
                console.print(f"left out: {sentence}", style="yellow")
            clip, said = self._clip(folder, console)
            rounds = self.rounds or rounds_for(len(candidates))
            seconds = self.seconds or seconds_for(len(candidates), rounds)
            plan = Plan(
                candidates,
                Pace(clip, seconds, self.live_fps),
                labelled,
                rounds,
                frame_of(clip, STILL),
                folder,
                self.sustained,
                self.robustness,
            )
            setting: Setting = {
                "clip": said,
                "paced_fps": self.live_fps,
                "rounds": rounds,
                "machine": describe_machine(),
            }
            settings = {
                "data": list(self.data),
                "split": self.split,
                "images": self.images,
                "seconds": seconds,
                "live_fps": self.live_fps,
                "clip": said,
            }
            journal = Journal(self._journal_path(), settings, resume=self.resume)
            rows, whole = self._play(plan, journal, setting, console)
        self._write(rows, console)
        if not whole:
            again = "; --resume goes on" if self._journal_path() else ""
            console.print(f"interrupted: rows have {rows[0]['rounds'] if rows else 0} rounds or less{again}")
            return INTERRUPTED
        journal.finish()
        return 0

    def _play(self, plan: Plan, journal: Journal, setting: Setting, console: Console) -> tuple[list[Row], bool]:
        """Takes the steps that the journal does not have yet. Returns the rows, and whether all was measured."""
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        rows = {each.id: row for each in plan.candidates if (row := plan.row(each, journal, setting))}
        steps = [step for step in plan.steps() if step.key not in journal]
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
        )
        whole = True
        with Progress(*columns, console=console, transient=True, speed_estimate_period=300) as bar:
            task = bar.add_task("profiling", total=sum(step.seconds for step in steps))
            passed = 0.0
            try:
                for step in steps:
                    bar.update(task, description=step.title, completed=passed)

                    def told(share: float, begun: float = passed, length: float = step.seconds) -> None:
                        bar.update(task, completed=begun + share * length)

                    journal.add(step.key, step.run(told))
                    passed += step.seconds
                    for each in plan.candidates:
                        if step.key.endswith(each.id) and (row := plan.row(each, journal, setting)):
                            rows[each.id] = row
                            if self.json != "-":
                                write_json(self.json, list(rows.values()))
            except KeyboardInterrupt:
                whole = False
        return [rows[each.id] for each in plan.candidates if each.id in rows], whole

    def _chosen(self, rows: list[Row]) -> list[Row]:
        """Returns the rows of an earlier profile that the command asks for. Raises UsageError where there is none."""
        engines, precisions = _names(self.engine), _names(self.precision)
        found = [
            row
            for row in rows
            if (not self.models or row["model"] in self.models)
            and (not engines or row["engine"]["name"] in engines)
            and (not precisions or row["precision"] in precisions)
        ]
        if rows and not found:
            raise UsageError(f"{self.read} has no such row, only {', '.join(row['id'] for row in rows)}")
        return found

    def _clip(self, folder: Path, console: Console) -> tuple[Path, str]:
        """Returns the clip, and what to call it."""
        from edgeseg.profile.clip import write_street
        from edgeseg.streaming.sources.video import VideoSource

        if self.clip is not None:
            VideoSource(self.clip).close()
            return self.clip, self.clip.name
        path = folder / "street.mp4"
        with console.status("rendering a clip of the street"):
            return path, write_street(path)

    def _write(self, rows: list[Row], console: Console) -> None:
        from edgeseg.cli.profile_tables import rows_table
        from edgeseg.profile.budget import write_document
        from edgeseg.profile.tables import csv_table, markdown_table, placed

        document = write_document(rows, self._budget(), shlex.join(["edgeseg", *sys.argv[1:]]))
        console.print(rows_table(rows, document["front"]))
        if document["advice"]:
            console.print(document["advice"], style="bold")
        write_json(self.json, rows)
        if self.csv is not None:
            _write_text(self.csv, csv_table(rows))
        if self.markdown is not None:
            _write_text(self.markdown, placed(markdown_table(rows), self.markdown))
        if self.html is not None:
            from edgeseg.profile.report import write_report

            write_report(self.html, {**document})

    def _compare(self, before: Path, after: Path, console: Console) -> int:
        """Prints what changed beyond noise; a JSON file gets every figure of both."""
        from dataclasses import asdict

        from edgeseg.cli.profile_tables import changes_table
        from edgeseg.profile.compare import compare
        from edgeseg.profile.rows import read_rows

        found = compare(read_rows(before), read_rows(after))
        for caveat in found.caveats:
            console.print(f"note: {caveat}", style="yellow")
        for names, path in ((found.only_before, before), (found.only_after, after)):
            if names:
                console.print(f"only in {path}: {', '.join(names)}")
        changed = found.changed()
        if changed:
            console.print(changes_table(changed))
        console.print(f"{len(changed)} of {len(found.changes)} figures changed beyond noise")
        write_json(self.json, [{**asdict(change), "ratio": change.ratio} for change in found.changes])
        return 0

    def _budget(self) -> Budget:
        from edgeseg.profile.budget import Budget

        return Budget(self.fps, self.max_age, self.min_miou)

    def _check(self) -> None:
        """Raises UsageError for options that can't be, before any work is done for them."""
        from edgeseg.profile.tables import placed

        check_json_file(self.json)
        read = [*map(data_folder, self.data), *(str(path) for path in (self.clip, self.read) if path is not None)]
        written = {"--json": self.json, "--csv": self.csv, "--markdown": self.markdown, "--html": self.html}
        refuse_clashes([*read, *map(str, self.compare or ())], written)
        for name, low in (("rounds", 1), ("seconds", 0.2), ("live_fps", 1), ("sustained", 1)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise UsageError(f"--{name.replace('_', '-')} {value:g}: give {low:g} or more")
        if self.min_miou is not None and not 0 <= self.min_miou <= 1:
            raise UsageError(f"--min-miou {self.min_miou:g}: a fraction, 0..1")
        for path in filter(None, (self.csv, self.markdown, self.html)):
            if path.is_dir() or not path.resolve().parent.is_dir():
                raise UsageError(f"{path} can't be written: name a file in a folder that exists")
        if self.markdown is not None:
            placed("", self.markdown)
        journal = self._journal_path()
        if self.resume and journal is None:
            raise UsageError("--resume goes on with what --json FILE was to hold: name that file")
        if journal is not None and journal.exists() and not self.resume and self.read is None and self.compare is None:
            raise UsageError(f"{journal} holds a profile that was interrupted: go on with --resume, or remove it")

    def _journal_path(self) -> Path | None:
        return None if self.json in (None, "-") else Path(f"{self.json}{PART}")


def _names(option: str) -> tuple[str, ...]:
    return () if option == "all" else tuple(name.strip() for name in option.split(","))


def _write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all. Raises UsageError."""
    draft = path.with_name(f".{path.name}-draft")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UsageError(f"{path} can't be written ({error.strerror}); choose another place") from error
