"""How the report says a row's figures: with their units, sensible digits, and "not measured" where there is none."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from edgeseg.profile.rows import Interval, Row

NOT_MEASURED = "not measured"
METRICS = {"miou": "mIoU", "mask_ap": "mask AP"}

AXES = (
    ("fps", "FPS over a file", "FPS", True),
    ("live_fps", "FPS from the live source", "FPS", True),
    ("latency_p50", "latency over a file, p50", "ms", False),
    ("latency_p99", "latency over a file, p99", "ms", False),
    ("age_p50", "age of live frames, p50", "ms", False),
    ("age_p95", "age of live frames, p95", "ms", False),
    ("age_p99", "age of live frames, p99", "ms", False),
    ("frame_p50", "one frame alone, p50", "ms", False),
    ("engine_p50", "engine alone, p50", "ms", False),
    ("energy", "energy a frame", "J", False),
)
"""What accuracy can be plotted against: key, name, unit, whether more of it is better."""

SHAPES = ("fp32", "fp16", "bf16", "int8")
"""Precisions whose marks are always the same ones; others get what is left."""

_STILL = re.compile(r"data:image/(?:jpeg|png);base64,[A-Za-z0-9+/]+={0,2}")


def said(value: float | None, unit: str = "", digits: int = 3) -> str:
    """Returns "23.4 ms": so many significant digits, and no more than the integer part where that has more."""
    if value is None or not math.isfinite(value):
        return NOT_MEASURED
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(decimals, digits)}f}" + (f"\u00a0{unit}" if unit else "")


def fraction(value: float | None) -> str:
    """Returns "0.691"."""
    return NOT_MEASURED if value is None or not math.isfinite(value) else f"{value:.3f}"


def counted(value: float | None, unit: str = "") -> str:
    """Returns "1.14 M": a count, in thousands, millions or thousand millions."""
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value is not None and value >= size:
            return said(value / size, f"{name}{unit}")
    return said(value, unit)


def between(interval: Interval | None, unit: str = "") -> str:
    """Returns "88.1 to 93.5", the 95 % confidence interval, or nothing. unit "fraction": as `fraction` says them."""
    if interval is None:
        return ""
    return " to ".join(fraction(end) if unit == "fraction" else said(end) for end in interval)


def labels(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """What each row is called, in two lines: the model; precision and engine, and the input where rows differ in it."""
    sizes = len({tuple(row["input"]) for row in rows}) > 1
    kinds = [f"{row['precision'].upper()} · {row['engine']['name']}" for row in rows]
    return [(row["model"], f"{kind} · {size(row)}" if sizes else kind) for row, kind in zip(rows, kinds, strict=True)]


def size(row: Row) -> str:
    """Returns "576×384", the network's input."""
    return "×".join(map(str, row["input"]))


def judged(row: Row) -> str:
    """Returns "mIoU on camvid, val": what its accuracy is of; a folder is not named, options of the data are."""
    kind, _, where = row["data"].partition(":")
    seen = ", all of them trained on" if row["trained_on"] else ""
    return f"{metric(row)} on {row['data'] if '=' in where else kind}, {row['split']}, {row['images']} images{seen}"


def metric(row: Row) -> str:
    """What its accuracy is called."""
    return METRICS.get(row["accuracy"]["metric"], row["accuracy"]["metric"])


def budget_words(budget: dict[str, float]) -> list[str]:
    """Returns the budget's parts: "at least 30 FPS"."""
    words = {
        "fps": "at least {} FPS",
        "max_age": "95 % of live frames at most {} ms old",
        "min_miou": "accuracy at least {}",
    }
    return [words.get(key, key + " {}").format(f"{value:g}") for key, value in budget.items()]


def model_places(rows: Sequence[Row]) -> dict[str, int]:
    """Returns the number of each model's colour."""
    return {name: place % 8 for place, name in enumerate(dict.fromkeys(row["model"] for row in rows))}


def precision_places(rows: Sequence[Row]) -> dict[str, int]:
    """Returns the number of each precision's mark and dash."""
    names = dict.fromkeys((*SHAPES, *(row["precision"] for row in rows)))
    return {name: min(place, len(SHAPES) + 1) for place, name in enumerate(names)}


def still(row: Row) -> str | None:
    """Returns the row's picture, if it is one that lies in the document itself."""
    return row["still"] if row["still"] and _STILL.fullmatch(row["still"]) else None


def points(rows: Sequence[Row]) -> dict[str, Any]:
    """Returns what the chart is drawn from: its axes, those alone that were measured, and a point a row."""
    models, precisions = model_places(rows), precision_places(rows)
    drawn = [
        {
            "id": row["id"],
            "label": name,
            "model": row["model"],
            "engine": row["engine"]["name"],
            "precision": row["precision"].upper(),
            "input": size(row),
            "colour": models[row["model"]],
            "shape": precisions[row["precision"]],
            "metric": metric(row),
            "judged": judged(row),
            "y": _spread(row["accuracy"]["value"], row["accuracy"]["ci"]),
            "x": _abscissae(row),
            "details": _details(row),
        }
        for row, name in zip(rows, labels(rows), strict=True)
    ]
    axes = [
        {"key": key, "name": name, "unit": unit, "more": more}
        for key, name, unit, more in AXES
        if any(point["x"][key] for point in drawn)
    ]
    return {"points": drawn, "axes": axes}


def _abscissae(row: Row) -> dict[str, list[float] | None]:
    live, serial, alone = row["paced"], row["serial"], row["alone"]
    return {
        "fps": _on_log(row["fps"], row["fps_ci"]),
        "live_fps": _on_log(live["fps"], live["fps_ci"]),
        "latency_p50": _on_log(row["latency_ms"]["p50"], row["latency_ms_ci"]["p50"]),
        "latency_p99": _on_log(row["latency_ms"]["p99"], row["latency_ms_ci"]["p99"]),
        "age_p50": _on_log(live["latency_ms"]["p50"], live["latency_ms_ci"]["p50"]),
        "age_p95": _on_log(live["latency_ms"]["p95"], live["latency_ms_ci"]["p95"]),
        "age_p99": _on_log(live["latency_ms"]["p99"], live["latency_ms_ci"]["p99"]),
        "frame_p50": _on_log(serial["frame_ms"]["p50"], serial["frame_ms_ci"]["p50"]),
        "engine_p50": _on_log(alone["ms"]["p50"], alone["ms_ci"]["p50"]),
        "energy": _on_log(row["load"]["joules_a_frame"], None),
    }


def _spread(value: float | None, interval: Interval | None) -> list[float] | None:
    """Returns [value, low, high], or None where there is no value."""
    if value is None or not math.isfinite(value):
        return None
    return [value, *(interval or (value, value))]


def _on_log(value: float | None, interval: Interval | None) -> list[float] | None:
    """As `_spread`, for a logarithmic axis: nothing that is not above 0."""
    spread = _spread(value, interval)
    return [max(end, spread[0] / 100) for end in spread] if spread and spread[0] > 0 else None


def _details(row: Row) -> list[tuple[str, str]]:
    live, latency, roofline = row["paced"]["latency_ms"], row["latency_ms"], row["roofline"]
    bound = f"{roofline['bound']} ({said(100 * roofline['peak_share'], '%', 2)} of peak)" if roofline else NOT_MEASURED

    def sure(words: str, interval: str) -> str:
        return f"{words} ({interval})" if interval else words

    return [
        (metric(row), sure(fraction(row["accuracy"]["value"]), between(row["accuracy"]["ci"], "fraction"))),
        ("FPS over a file", sure(said(row["fps"]), between(row["fps_ci"]))),
        ("latency p50, p99", f"{said(latency['p50'])}, {said(latency['p99'], 'ms')}"),
        ("age live p50, p95", f"{said(live['p50'])}, {said(live['p95'], 'ms')}"),
        ("engine alone p50", said(row["alone"]["ms"]["p50"], "ms")),
        ("energy a frame", said(row["load"]["joules_a_frame"], "J")),
        ("bound by", bound),
    ]
