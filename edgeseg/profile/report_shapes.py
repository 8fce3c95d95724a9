"""The report's still figures as numbers: lengths in percent of their frame, and paths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from edgeseg.profile.report_words import model_places, precision_places, said
from edgeseg.profile.rows import Percentiles, Row

STAGES = ("decode", "fit", "engine", "tail", "draw", "deliver", "remainder")
BINS = 120
"""Columns of a distribution's outline."""

PANEL = (240.0, 150.0, 34.0, 8.0, 24.0)
"""Of a small chart, in its own units: width, height, and what is kept free on the left, above and below."""


def stage_bars(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Where a frame's time goes, in means, since means add up: a bar a row, all on one scale.

    Each has its parts (name, place 0..6 or 7 for a stage not known by name, ms, x and width in percent) and the sum of them.
    """
    longest = max((row["serial"]["frame_mean_ms"] for row in rows), default=0.0) or 1.0
    bars = []
    for index, row in enumerate(rows):
        known = row["serial"]["mean_ms"]
        x, parts = 0.0, []
        for name in sorted(known, key=lambda name: (name == "remainder", _place(name))):
            width = 100 * known[name] / longest
            parts.append(
                {
                    "name": name,
                    "place": _place(name),
                    "ms": said(known[name]),
                    "x": f"{x:.3f}",
                    "width": f"{width:.3f}",
                    "wide": width >= 15,
                }
            )
            x += width
        share = row["serial"]["remainder_share"]
        bars.append(
            {
                "index": index,
                "parts": parts,
                "sum": said(row["serial"]["frame_mean_ms"], "ms"),
                "remainder": said(100 * share, "%", 2),
            }
        )
    return bars


def age_panel(rows: Sequence[Row]) -> dict[str, Any]:
    """How old live frames are when their masks are delivered."""
    return _panel(
        "Age of live frames", "capture to delivery, from the paced live source",
        rows, lambda row: (row["paced"]["latency_quantiles_ms"], row["paced"]["latency_ms"]),
    )  # fmt: skip


def latency_panel(rows: Sequence[Row]) -> dict[str, Any]:
    """How long frames of a file are under way, where the next ones are begun meanwhile."""
    return _panel(
        "Latency over a file", "as fast as it goes: frames wait for one another, which buys rate",
        rows, lambda row: (row["latency_quantiles_ms"], row["latency_ms"]),
    )  # fmt: skip


def curves(rows: Sequence[Row]) -> dict[str, Any] | None:
    """mIoU against strength 0 (clean) to 5, a small chart a corruption; None where no row was asked."""
    asked = [(index, row["robustness"]) for index, row in enumerate(rows) if row["robustness"]]
    if not asked:
        return None
    kinds = list(dict.fromkeys(kind for _, known in asked for kind in known["corrupted"]))
    values = [
        value for _, known in asked for kind in kinds for value in (known["clean"], *known["corrupted"].get(kind, []))
    ]
    low, high = math.floor(10 * min(values)) / 10, math.ceil(10 * max(values)) / 10
    models, precisions = model_places(rows), precision_places(rows)
    styles = {i: (models[rows[i]["model"]], precisions[rows[i]["precision"]]) for i, _ in asked}
    panels = []
    for kind in kinds:
        lines = []
        for index, known in asked:
            heights = [known["clean"], *known["corrupted"].get(kind, [])]
            strengths = ["clean", *known["strengths"].get(kind, [])]
            if len(heights) > 1:
                marks = [
                    _at(place / (len(heights) - 1), (value - low) / ((high - low) or 1))
                    for place, value in enumerate(heights)
                ]
                lines.append(
                    {"index": index, "marks": marks, "values": [f"{v:.3f}" for v in heights], "strengths": strengths}
                )
        panels.append({"kind": kind, "lines": lines})
    ticks = [(f"{low + (high - low) * part:.2f}", _at(0, part)[1]) for part in (0, 0.5, 1)]
    return {"panels": panels, "ticks": ticks, "styles": styles, "images": asked[0][1]["images"], "box": PANEL}


def sustained(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rate over a long run, from 0 up: a path a row in 100 x 100, and the drop."""
    return [
        {
            "index": index,
            "path": _path(
                [
                    (100 * i / max(1, len(known["fps"]) - 1), 100 - 92 * fps / max(known["fps"]))
                    for i, fps in enumerate(known["fps"])
                ]
            ),
            "colour": model_places(rows)[row["model"]],
            "drop": said(100 * known["drop"], "%", 2),
            "seconds": said(known["seconds"], "s"),
            "first": said(known["fps"][0], "FPS"),
            "last": said(known["fps"][-1], "FPS"),
        }
        for index, row in enumerate(rows)
        if (known := row["sustained"]) and any(known["fps"])
    ]


def _place(name: str) -> int:
    return STAGES.index(name) if name in STAGES else len(STAGES)


def _at(x: float, y: float) -> tuple[float, float]:
    """Where in a small chart a point stands; x and y 0..1 from the lower left."""
    width, height, left, above, below = PANEL
    return round(left + x * (width - left - 10), 1), round(height - below - y * (height - below - above), 1)


def _path(marks: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in marks)


def _panel(
    name: str, note: str, rows: Sequence[Row], figures: Callable[[Row], tuple[list[float], Percentiles]]
) -> dict[str, Any]:
    """Distributions of all rows on one logarithmic scale: outlines in 100 x 100, and ticks in percent of the width."""
    found = [(index, *figures(row)) for index, row in enumerate(rows)]
    shown = [
        (index, [q for q in quantiles if q > 0], at) for index, quantiles, at in found if any(q > 0 for q in quantiles)
    ]
    if not shown:
        return {"name": name, "note": note, "lines": [], "ticks": []}
    low = min(quantiles[0] for _, quantiles, _ in shown) / 1.1
    high = max(quantiles[-1] for _, quantiles, _ in shown) * 1.1

    def place(value: float) -> float:
        return 100 * math.log(value / low) / math.log(high / low)

    models = model_places(rows)
    lines = [
        {
            "index": index,
            "colour": models[rows[index]["model"]],
            "outline": _outline([place(q) for q in quantiles]),
            "marks": [(key, f"{place(at[key] or low):.2f}") for key in ("p50", "p95", "p99") if at[key]],
            "texts": [(said(at[key]), at[key]) for key in ("p50", "p95", "p99", "max")],
        }
        for index, quantiles, at in shown
    ]
    return {
        "name": name,
        "note": note,
        "lines": lines,
        "ticks": [(f"{t:g}", f"{place(t):.2f}") for t in _ticks(low, high)],
    }


def _outline(places: Sequence[float]) -> str:
    """The density of samples whose quantiles stand at these places (0..100), as a closed path from the base line up."""
    step = 1 / max(1, len(places) - 1)
    heights = [0.0] * BINS
    for left, right in itertools.pairwise(places):
        # An interval holds one step of probability, spread evenly; one narrower than a bin falls into its bin whole.
        first, last = (min(BINS - 1, int(end * BINS / 100)) for end in (left, right))
        for column in range(first, last + 1):
            heights[column] += step / (last - first + 1)
    smooth = [sum(heights[max(0, i - 1) : i + 2]) / 3 for i in range(BINS)]
    top = max(smooth) or 1
    marks = [(100 * (i + 0.5) / BINS, 100 - 96 * value / top) for i, value in enumerate(smooth)]
    return _path([(marks[0][0], 100), *marks, (marks[-1][0], 100)]) + "Z"


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... between the two; every digit where that would be less than three."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [digit * 10.0**power for power in decades for digit in range(1, 10)]
    coarse = [tick for tick in every if low <= tick <= high and f"{tick:e}"[0] in "125"]
    return coarse if len(coarse) > 2 else [tick for tick in every if low <= tick <= high]
