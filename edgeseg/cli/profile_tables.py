"""What `edgeseg profile` prints: the rows, and what changed between two profiles."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from edgeseg.profile.compare import Change, Figure
from edgeseg.profile.rows import Row


def rows_table(rows: Sequence[Row], front: Sequence[str]) -> Table:
    """Returns the short table of a profile. front: ids of the rows to mark."""
    table = Table(box=SIMPLE_HEAD, caption="* no row here is both faster and more accurate", caption_justify="left")
    table.add_column("model", overflow="fold")
    table.add_column("on")
    for head in ("%", "FPS", "95 %", "age", "p95", "engine", "frame", "MB"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        age, ci, worth = row["paced"]["latency_ms"], row["fps_ci"], row["accuracy"]["value"]
        table.add_row(
            row["model"] + (" *" if row["id"] in front else ""),
            f"{row['engine']['name']} {row['precision']}",
            "-" if worth is None else f"{100 * worth:.1f}",
            _number(row["fps"]),
            "{:.0f}-{:.0f}".format(*ci) if ci else "-",
            _number(age["p50"]),
            _number(age["p95"]),
            _number(row["alone"]["ms"]["p50"]),
            _number(row["serial"]["frame_ms"]["p50"]),
            f"{row['start']['rss_mb']:.0f}",
        )
    return table


def changes_table(changes: Sequence[Change]) -> Table:
    """Returns a table of what changed."""
    table = Table(box=SIMPLE_HEAD, title="changed beyond noise", title_justify="left")
    for head in ("row", "figure", "before", "after", "change"):
        table.add_column(head, justify="left" if head in ("row", "figure") else "right")
    for change in changes:
        before, after = change.before, change.after
        table.add_row(change.row, before.name, _said(before), _said(after), f"{100 * (change.ratio - 1):+.1f} %")
    return table


def _said(figure: Figure) -> str:
    return f"{figure.value:.2f} {figure.unit}" if figure.unit else f"{100 * figure.value:.1f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.{0 if value >= 99.5 else 1}f}"
