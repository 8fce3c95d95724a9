"""The report of a profile: one HTML file that needs nothing else, to be looked at, printed, and defended."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edgeseg.core.errors import EdgesegError
from edgeseg.profile.report_shapes import age_panel, curves, latency_panel, stage_bars, sustained
from edgeseg.profile.report_tables import classes_tables, cost_table, facts, figures_table, flicker_table
from edgeseg.profile.report_words import budget_words, labels, points, still
from edgeseg.profile.rows import Document, Row, checked
from edgeseg.streaming.sinks.files import draft_beside

ENDINGS = (".html", ".htm")
ROOM = Path(__file__).parent


def write_report(path: Path, document: Document | list[Row]) -> None:
    """Writes the report, whole or not at all.

    document: what `edgeseg profile` found, or its rows alone; a key "command" beside "rows" is shown as the command that
    made it. Raises UsageError for what is no profile or another ending than .html, SinkError where nothing can be written,
    EdgesegError where the disk is full.
    """
    draft = draft_beside(path, ENDINGS)
    text = page(document)
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise EdgesegError(f"{path} can't be written ({error.strerror}): free some space") from error
    finally:
        draft.unlink(missing_ok=True)


def page(document: Document | list[Row]) -> str:
    """Returns the report as HTML. Every text of the document is escaped; the page itself forbids what is not its own."""
    whole = cast("dict[str, Any]", {"rows": document} if isinstance(document, list) else document)
    rows = _by_model(checked(whole.get("rows"), "the document"))
    chosen, budget = whole.get("chosen"), whole.get("budget") or {}
    style, script = _read("report.css"), _read("report_drawing.js", "report_chart.js", "report.js")
    template = Environment(
        loader=FileSystemLoader(ROOM), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html")
    return template.render(
        rows=rows,
        labels=labels(rows),
        advice=whole.get("advice"),
        chosen=next((i for i, row in enumerate(rows) if row["id"] == chosen), None),
        budget=budget_words(budget),
        front=[i for name in whole.get("front") or [] for i, row in enumerate(rows) if row["id"] == name],
        facts=facts(rows, whole.get("command")),
        points={**points(rows), "budget": budget, "chosen": chosen},
        figures=figures_table(rows),
        cost=cost_table(rows),
        stages=stage_bars(rows),
        latencies=[panel for panel in (age_panel(rows), latency_panel(rows)) if panel["lines"]],
        classes=classes_tables(rows),
        curves=curves(rows),
        flicker=flicker_table(rows),
        sustained=sustained(rows),
        stills=[(index, still(row)) for index, row in enumerate(rows) if still(row)],
        style=style,
        script=script,
        policy=_policy(style, script),
    )


def _read(*names: str) -> str:
    return "\n".join((ROOM / name).read_text(encoding="utf-8") for name in names)


def _by_model(rows: list[Row]) -> list[Row]:
    """A model's rows beside each other, the fastest first."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    return sorted(rows, key=lambda row: (models.index(row["model"]), -(row["fps"] or 0.0)))


def _policy(style: str, script: str) -> str:
    """The Content-Security-Policy under which nothing runs or loads but this style, this script and the pictures inside."""
    styled, scripted = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script))
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{styled}'; script-src 'sha256-{scripted}'; "
        "base-uri 'none'; form-action 'none'"
    )
