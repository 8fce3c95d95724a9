"""A profile as tables of text: Markdown for a README, CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from edgeseg.core.errors import UsageError
from edgeseg.profile.rows import Row

BEGIN, END = "<!-- profile -->", "<!-- /profile -->"

SEEN = " †"
"""Stands after an accuracy over images that the model was trained on."""

COLUMNS = (
    "id",
    "model",
    "engine",
    "precision",
    "input",
    "metric",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "pixel_accuracy",
    "images",
    "trained_on",
    "fps",
    "fps_low",
    "fps_high",
    "live_fps",
    "age_p50_ms",
    "age_p95_ms",
    "age_p99_ms",
    "age_max_ms",
    "engine_alone_p50_ms",
    "frame_p50_ms",
    "first_mask_s",
    "rss_mb",
    "gpu_mb",
    "parameters",
    "gmacs",
    "gflops",
    "peak_gflops",
    "bound",
    "joules_a_frame",
    "date",
)


def markdown_table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table, a row each, most accurate first, and under it a line on the machine and the date."""
    lines = [
        "| model | engine, precision | input | accuracy | FPS, file | age, live p50 / p95 | engine alone | parameters | GMACs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (-(row["accuracy"]["value"] or 0.0), -(row["fps"] or 0.0))):
        age, network = row["paced"]["latency_ms"], row["network"]
        cells = (
            f"`{row['model']}`",
            f"{row['engine']['name']} {row['precision'].upper()}",
            "{}x{}".format(*row["input"]),
            _worth(row),
            _rate(row),
            f"{_number(age['p50'], '.0f')} / {_number(age['p95'], '.0f')} ms",
            f"{_number(row['alone']['ms']['p50'], '.1f')} ms",
            f"{network['parameters'] / 1e6:.2f} M",
            f"{network['macs'] / 1e9:.2f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _footnote(rows)]) + "\n"


def csv_table(rows: Sequence[Row]) -> str:
    """Returns comma-separated values with a head, `COLUMNS`; what is not known is empty."""
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(_flat(row))
    return text.getvalue()


def placed(table: str, path: Path) -> str:
    """Returns what the Markdown file is to hold: its own text with the table between its markers, or the table alone where there
    is no such file. Raises UsageError for a file that can't be read or has no markers, so that nothing of it is lost."""
    if not path.exists():
        return f"{BEGIN}\n\n{table}\n{END}\n"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read as text; name another file") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(
            f"{path} stands and has no lines {BEGIN} and {END} to put the table between; add them, or name a new file"
        )
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def _worth(row: Row) -> str:
    accuracy = row["accuracy"]
    if accuracy["value"] is None:
        return "-"
    name = "mask AP" if accuracy["metric"] == "mask_ap" else "mIoU"
    return f"{name} {100 * accuracy['value']:.1f} %" + SEEN * row["trained_on"]


def _rate(row: Row) -> str:
    if row["fps"] is None:
        return "-"
    return f"{row['fps']:.1f}" + (" ({:.1f} to {:.1f})".format(*row["fps_ci"]) if row["fps_ci"] else "")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _footnote(rows: Sequence[Row]) -> str:
    """What the table was measured on, and on which days. Rows of several machines are told apart by the JSON, not here."""
    if not rows:
        return "Nothing was profiled."
    row = rows[0]
    machine = row["machine"]
    days = ", ".join(sorted({each["date"][:10] for each in rows}))
    judged = sorted(
        {f"{each['data'].partition(':')[0]} {each['split']}, {each['images']} images" for each in rows if each["data"]}
    )
    return (
        f"{machine['processor']}, {machine['cores']} cores, {days}, by `edgeseg profile`: "
        f"FPS (95 % confidence) over a clip as fast as it goes ({row['source']}), age of a mask from a live source of "
        f"{row['paced_fps']:g} FPS; accuracy on {'; '.join(judged) or 'nothing'}."
        + " † trained on these images: expect less of unseen ones."
        * any(each["trained_on"] for each in rows)
    )


def _flat(row: Row) -> dict[str, object]:
    accuracy, age, roofline = row["accuracy"], row["paced"]["latency_ms"], row["roofline"]
    low, high = accuracy["ci"] or (None, None)
    slow, fast = row["fps_ci"] or (None, None)
    return {
        "id": row["id"],
        "model": row["model"],
        "engine": row["engine"]["name"],
        "precision": row["precision"],
        "input": "{}x{}".format(*row["input"]),
        "metric": accuracy["metric"],
        "accuracy": accuracy["value"],
        "accuracy_low": low,
        "accuracy_high": high,
        "pixel_accuracy": row.get("pixel_accuracy"),
        "images": row.get("images"),
        "trained_on": row["trained_on"],
        "fps": row["fps"],
        "fps_low": slow,
        "fps_high": fast,
        "live_fps": row["paced"]["fps"],
        "age_p50_ms": age["p50"],
        "age_p95_ms": age["p95"],
        "age_p99_ms": age["p99"],
        "age_max_ms": age["max"],
        "engine_alone_p50_ms": row["alone"]["ms"]["p50"],
        "frame_p50_ms": row["serial"]["frame_ms"]["p50"],
        "first_mask_s": row["start"]["first_mask_s"],
        "rss_mb": row["start"]["rss_mb"],
        "gpu_mb": row["start"]["gpu_mb"],
        "parameters": row["network"]["parameters"],
        "gmacs": row["network"]["macs"] / 1e9,
        "gflops": roofline["gflops"] if roofline else None,
        "peak_gflops": roofline["peak_gflops"] if roofline else None,
        "bound": roofline["bound"] if roofline else None,
        "joules_a_frame": row["load"]["joules_a_frame"],
        "date": row["date"],
    }
