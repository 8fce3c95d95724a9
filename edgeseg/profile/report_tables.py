"""The tables of the report: heads, and cells that know what to be sorted by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeseg.profile.report_words import (
    METRICS,
    NOT_MEASURED,
    between,
    counted,
    fraction,
    metric,
    said,
)
from edgeseg.profile.rows import Row


@dataclass(frozen=True)
class Cell:
    """What stands in a cell. value: what it sorts by; None: not measured. note: smaller, under the text. heat: 0..10."""

    text: str
    value: float | str | None
    note: str = ""
    heat: int | None = None


@dataclass(frozen=True)
class Table:
    """groups: (name, how many columns) over the heads. heads: (name, unit). lines: (number of the row, its cells).

    absent: what no row has, and so has no column.
    """

    caption: str
    groups: list[tuple[str, int]]
    heads: list[tuple[str, str]]
    lines: list[tuple[int, list[Cell]]]
    absent: list[str]


_Column = tuple[str, str, str, Callable[[Row], Cell]]
"""Group, head, unit, and the cell of a row."""


def facts(rows: Sequence[Row], command: str | None) -> list[tuple[str, list[str]]]:
    """Returns what the figures hold for: (name, lines), each line once however many rows say it."""

    def each(line: Callable[[Row], str]) -> list[str]:
        return list(dict.fromkeys(line(row) for row in rows))

    def memory(row: Row) -> str:
        machine = row["machine"]
        return f"{machine['cores']} cores, {said(machine['memory_gb'], 'GB')} memory, {machine['gpu'] or 'no GPU'}"

    def versions(row: Row) -> str:
        return ", ".join(f"{name}\u00a0{version}" for name, version in row["machine"]["versions"].items())

    def images(row: Row) -> str:
        return f"{row['data']}, {row['split']}: {row['images']} of {row['images_there']} images, {metric(row)}"

    def judged(row: Row) -> str:
        alike = [other for other in rows if other["trained_on"] and images(other) == images(row)]
        models = list(dict.fromkeys(other["model"] for other in alike))
        return images(row) + (f"; trained on them: {', '.join(models)}" if models else "")

    def paces(row: Row) -> str:
        live = row["paced"]
        return f"as a file: {row['threads']} threads; live at {row['paced_fps']:g} FPS: {live['threads']}"

    def turns(row: Row) -> str:
        cut = "" if row["rounds"] >= row["rounds_asked"] else f" of {row['rounds_asked']}: interrupted"
        return f"{row['rounds']} interleaved rounds{cut}"

    dates = sorted(row["date"] for row in rows)
    days = list(dict.fromkeys(date[:16].replace("T", " ") for date in (*dates[:1], *dates[-1:])))
    return [
        ("Machine", each(lambda row: row["machine"]["processor"]) + each(memory)),
        ("System", each(lambda row: f"{row['machine']['system']}, Python {row['machine']['python']}")),
        ("Versions", each(versions)),
        ("Accuracy on", each(judged)),
        ("Speed on", each(lambda row: row["source"]) + each(paces)),
        ("Measured", ["rows begun " + " to ".join(days) + " UTC", *each(turns)] if days else []),
        ("Command", [command] if command else []),
    ]


def figures_table(rows: Sequence[Row]) -> Table:
    """What each row is worth and costs."""
    names = {metric(row) for row in rows}
    mixed = len(names) > 1
    file, live = "over a file, as fast as it goes", "from the live source"
    columns: list[_Column] = [
        ("worth", "accuracy" if mixed else "".join(names), "", lambda row: _accuracy(row, mixed)),
        (file, "rate", "FPS", lambda row: Cell(said(row["fps"]), row["fps"], between(row["fps_ci"]))),
        *(
            (file, f"latency {at}", "ms", lambda row, at=at: _ms(row["latency_ms"][at]))
            for at in ("p50", "p95", "p99", "max")
        ),
        (live, "rate", "FPS", lambda row: Cell(said(row["paced"]["fps"]), row["paced"]["fps"])),
        (live, "dropped", "", _dropped),
        *(
            (live, f"age {at}", "ms", lambda row, at=at: _ms(row["paced"]["latency_ms"][at]))
            for at in ("p50", "p95", "p99", "max")
        ),
        ("alone", "engine p50", "ms", lambda row: _ms(row["alone"]["ms"]["p50"])),
        ("alone", "frame p50", "ms", lambda row: _ms(row["serial"]["frame_ms"]["p50"])),
    ]
    return _table("What each model is worth, and costs", rows, columns)


def cost_table(rows: Sequence[Row]) -> Table:
    """What the network is, what the machine made of it, and what it took."""
    net, speed, start, load = "network", "arithmetic", "a fresh process", "over a file"
    columns: list[_Column] = [
        (net, "parameters", "", lambda row: _count(row["network"]["parameters"])),
        (net, "MACs", "", lambda row: _count(row["network"]["macs"])),
        (net, "file", "", lambda row: _count(row["network"]["graph_bytes"], "B")),
        (speed, "reached", "GFLOP/s", lambda row: _number((row["roofline"] or {}).get("gflops"))),
        (speed, "peak here", "GFLOP/s", lambda row: _number((row["roofline"] or {}).get("peak_gflops"))),
        (speed, "share", "%", lambda row: _number(_peak_share(row), 2)),
        (speed, "memory", "GB/s", lambda row: _number((row["roofline"] or {}).get("bandwidth_gbs"))),
        (speed, "bound by", "", _bound),
        (start, "start-up", "s", lambda row: _number(row["start"]["first_mask_s"])),
        (start, "memory", "MB", lambda row: _number(row["start"]["rss_mb"])),
        (start, "peak", "MB", lambda row: _number(row["start"]["rss_peak_mb"])),
        (start, "GPU memory", "MB", lambda row: _number(row["start"]["gpu_mb"])),
        (load, "CPU", "%", lambda row: _number(row["load"]["cpu_percent"])),
        (load, "GPU", "%", lambda row: _number(row["load"]["gpu_percent"])),
        (load, "clock", "MHz", lambda row: _number(row["load"]["clock_mhz"], 4)),
        (load, "temperature", "°C", lambda row: _number(row["load"]["temperature_c"])),
        (load, "slowed down", "", _throttled),
        (
            load,
            "power",
            "W",
            lambda row: Cell(said(row["load"]["power_w"]), row["load"]["power_w"], row["load"]["power_of"] or ""),
        ),
        (load, "energy a frame", "J", lambda row: _number(row["load"]["joules_a_frame"])),
    ]
    return _table("What it takes, and what binds it", rows, columns)


def classes_tables(rows: Sequence[Row]) -> list[Table]:
    """A table a task: its classes across, the mean first."""
    tables = []
    for name, head in METRICS.items():
        lines = [(index, row) for index, row in enumerate(rows) if row["accuracy"]["metric"] == name]
        classes = list(dict.fromkeys(known for _, row in lines for known in row["per_class"]))
        if classes:
            cells = [
                (index, [_heat(row["accuracy"]["value"]), *(_heat(row["per_class"].get(c)) for c in classes)])
                for index, row in lines
            ]
            caption = "IoU of each class" if name == "miou" else "Mask AP of each class"
            tables.append(Table(caption, [], [(head, ""), *((known, "") for known in classes)], cells, []))
    return tables


def flicker_table(rows: Sequence[Row]) -> Table | None:
    """How much of the picture changes its label where the truth did not; None where no row was asked."""
    lines = [(index, row["flicker"]) for index, row in enumerate(rows) if row["flicker"]]
    heads = [("all pixels", "%"), ("away from borders", "%"), ("frames", "")]
    cells = [
        (
            index,
            [
                _percent(known["share"]),
                _percent(known["steady_share"]),
                Cell(str(known["frames"]), known["frames"], known["source"]),
            ],
        )
        for index, known in lines
    ]
    return Table("Labels that change where the truth did not", [], heads, cells, []) if lines else None


def _table(caption: str, rows: Sequence[Row], columns: list[_Column]) -> Table:
    """Columns that no row has anything for are left out, and named."""
    filled = [(column, [column[3](row) for row in rows]) for column in columns]
    kept = [(column, cells) for column, cells in filled if any(cell.value is not None for cell in cells)]
    groups: list[tuple[str, int]] = []
    for (group, *_), _ in kept:
        same = groups and groups[-1][0] == group
        groups[-1:] = [(group, groups[-1][1] + 1)] if same else [*groups[-1:], (group, 1)]
    return Table(
        caption,
        groups,
        [(head, unit) for (_, head, unit, _), _ in kept],
        [(index, [cells[index] for _, cells in kept]) for index in range(len(rows))],
        [column[1] for column, cells in filled if all(cell.value is None for cell in cells)],
    )


def _accuracy(row: Row, mixed: bool) -> Cell:
    known = row["accuracy"]
    name = f"{metric(row)} " if mixed else ""
    return Cell(f"{name}{fraction(known['value'])}", known["value"], between(known["ci"], "fraction"))


def _ms(value: float | None) -> Cell:
    return Cell(said(value), value)


def _number(value: float | None, digits: int = 3) -> Cell:
    return Cell(said(value, digits=digits), value)


def _count(value: float, unit: str = "") -> Cell:
    return Cell(counted(value, unit), value)


def _percent(share: float) -> Cell:
    return Cell(said(100 * share), share)


def _dropped(row: Row) -> Cell:
    run = row["paced"]
    lost = sum(run["dropped"].values())
    return Cell(f"{lost} of {run['captured']}", lost, ", ".join(run["dropped"]))


def _throttled(row: Row) -> Cell:
    known = row["load"]["throttled"]
    return Cell(NOT_MEASURED if known is None else "yes" if known else "no", None if known is None else str(known))


def _peak_share(row: Row) -> float | None:
    return 100 * row["roofline"]["peak_share"] if row["roofline"] else None


def _bound(row: Row) -> Cell:
    known = row["roofline"]
    if known is None:
        return Cell(NOT_MEASURED, None)
    note = f"{said(known['intensity'])} op/byte, ridge {said(known['ridge'])}"
    return Cell(known["bound"], known["bound"], note)


def _heat(value: float | None) -> Cell:
    if value is None or not math.isfinite(value):
        return Cell("none here", None)
    return Cell(fraction(value), value, heat=round(10 * min(1.0, max(0.0, value))))
