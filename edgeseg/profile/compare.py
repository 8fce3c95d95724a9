"""Two profiles beside each other: which figures changed by more than the noise within them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeseg.core.errors import UsageError
from edgeseg.profile.rows import Interval, Row

FLOOR = 0.08
"""Less than this share of a time or rate is never called a change: two profiles of one machine, minutes apart, differ by 0.05."""
FLOOR_MS = 0.1
"""Nor are so few milliseconds of a stage."""
FLOOR_ACCURACY = 0.0005
"""Accuracy has no noise: the same file on the same images answers alike, but for the last digits."""


@dataclass(frozen=True)
class Figure:
    """A figure of a row. unit: "FPS", "ms", or "" (a fraction). rounds: the same of each round."""

    name: str
    unit: str
    value: float
    ci: Interval | None
    rounds: tuple[float, ...] = ()


@dataclass(frozen=True)
class Change:
    """A figure before and after. ratio: after / before. beyond_noise: whether it changed."""

    row: str
    before: Figure
    after: Figure
    beyond_noise: bool

    @property
    def ratio(self) -> float:
        return self.after.value / self.before.value if self.before.value else float("inf")


@dataclass(frozen=True)
class Comparison:
    """All figures that both profiles have, the ids of the rows that only one has, and, in caveats, what else makes them unlike."""

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    caveats: tuple[str, ...]

    def changed(self) -> list[Change]:
        """Returns what changed beyond noise."""
        return [change for change in self.changes if change.beyond_noise]


def compare(before: Sequence[Row], after: Sequence[Row]) -> Comparison:
    """Compares the rows that have one id. Raises UsageError where there are none.

    A time or rate changed where its confidence intervals do not meet, its medians differ by more than the ranges over the rounds
    of both profiles together, and by more than FLOOR (a stage: FLOOR_MS too). An accuracy changed by FLOOR_ACCURACY.
    """
    earlier, later = ({row["id"]: row for row in rows} for rows in (before, after))
    shared = [name for name in earlier if name in later]
    if not shared:
        raise UsageError(
            "the two profiles have no row in common: compare those of the same models, engines and precisions"
        )
    changes = [
        Change(name, one, other, _beyond_noise(one, other))
        for name in shared
        for one, other in _pairs(earlier[name], later[name])
    ]
    return Comparison(
        tuple(changes),
        tuple(name for name in earlier if name not in later),
        tuple(name for name in later if name not in earlier),
        tuple(_caveats([(earlier[name], later[name]) for name in shared])),
    )


def figures(row: Row) -> Iterator[Figure]:
    """Yields what is compared: each figure and each stage."""
    paced, serial, alone = row["paced"], row["serial"], row["alone"]
    for name, run in (("FPS, file", row), ("FPS, live", paced)):
        if run["fps"] is not None:
            yield Figure(name, "FPS", run["fps"], run["fps_ci"], tuple(run["round_fps"]))
    timed = (
        ("age, live, p50", paced["latency_ms"]["p50"], paced["latency_ms_ci"]["p50"], paced["round_latency_ms"]),
        ("engine alone", alone["ms"]["p50"], alone["ms_ci"]["p50"], alone["round_ms"]),
        ("a frame", serial["frame_ms"]["p50"], serial["frame_ms_ci"]["p50"], serial["round_ms"]["frame"]),
    )
    for name, value, ci, rounds in timed:
        if value is not None:
            yield Figure(name, "ms", value, ci, tuple(rounds))
    for name, stage in serial["stage_ms"].items():
        if stage["p50"] is not None:
            yield Figure(
                f"stage {name}", "ms", stage["p50"], serial["stage_ms_ci"][name], tuple(serial["round_ms"][name])
            )
    accuracy = row["accuracy"]
    if accuracy["value"] is not None:
        yield Figure(accuracy["metric"], "", accuracy["value"], accuracy["ci"])


def _pairs(before: Row, after: Row) -> Iterator[tuple[Figure, Figure]]:
    later = {figure.name: figure for figure in figures(after)}
    alike = _judged_on(before) == _judged_on(after)
    for figure in figures(before):
        if figure.name in later and (figure.unit or alike):
            yield figure, later[figure.name]


def _beyond_noise(before: Figure, after: Figure) -> bool:
    difference = abs(after.value - before.value)
    if not before.unit:
        return difference > FLOOR_ACCURACY
    floor = max(FLOOR * min(before.value, after.value), FLOOR_MS if before.unit == "ms" else 0.0)
    apart = before.ci is None or after.ci is None or before.ci[1] < after.ci[0] or after.ci[1] < before.ci[0]
    return apart and difference > max(floor, _range(before) + _range(after))


def _range(figure: Figure) -> float:
    return max(figure.rounds) - min(figure.rounds) if figure.rounds else 0.0


def _judged_on(row: Row) -> tuple[str, str, int]:
    return row["accuracy"]["metric"], row["split"], row.get("images", 0)


def _caveats(pairs: Sequence[tuple[Row, Row]]) -> Iterator[str]:
    one, other = pairs[0]
    if one["machine"]["processor"] != other["machine"]["processor"]:
        yield f"two machines: {one['machine']['processor']} and {other['machine']['processor']}"
    versions, newer = one["machine"]["versions"], other["machine"]["versions"]
    for name in sorted(versions.keys() & newer.keys()):
        if versions[name] != newer[name]:
            yield f"{name} {versions[name]} and {newer[name]}"
    if one["source"] != other["source"] or one["paced_fps"] != other["paced_fps"]:
        yield f"two clips or paces: {one['source']} at {one['paced_fps']:g} and {other['source']} at {other['paced_fps']:g} FPS"
    if any(_judged_on(before) != _judged_on(after) for before, after in pairs):
        yield "not judged on the same images: accuracies are not compared"
    if min(row["rounds"] for pair in pairs for row in pair) < 2:
        yield "a single round tells nothing of how a figure varies from round to round: profile with --rounds 3"
