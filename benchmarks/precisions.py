"""What each precision on each engine costs and gives, beside the FP32 graph on ONNX Runtime: the table of docs/results.md.

    edgeseg profile --data camvid:DIR --data coco:DIR --json r.json
    python benchmarks/precisions.py r.json [--frames 48]

Accuracy and milliseconds are the profile's; the agreement is measured here, by what `edgeseg verify` uses, on frames from
all over the very data that the profile judged by. The network alone, on as many threads as the profile's run over a file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import edgeseg
from edgeseg.bench.profile.rows import Row, read_rows
from edgeseg.deploy.frames import frames_of
from edgeseg.deploy.verify import Verification, least_agreement, percent

BASE = ("onnxruntime", "fp32")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("profile", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    chosen = parser.parse_args()
    rows = {(row["model"], row["engine"]["name"], row["precision"]): row for row in read_rows(chosen.profile)}
    print("| model | engine, precision | accuracy | agreement with FP32 | network alone, p50 | over FP32 |")
    print("|---|---|---|---|---|---|")
    for (model, engine, precision), row in rows.items():
        base = rows.get((model, *BASE))
        ms, accuracy = row["alone"]["ms"]["p50"], row["accuracy"]
        cells = [
            f"`{model}`",
            f"{engine} {precision.upper()}",
            "-" if accuracy["value"] is None else f"{100 * accuracy['value']:.1f}",
            "-" if base is None or base is row else agreement(row, chosen.frames),
            "-" if ms is None else f"{ms:.1f} ms",
            "-" if base is None or not ms else f"{(base['alone']['ms']['p50'] or 0) / ms:.2f}x",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def agreement(row: Row, frames: int) -> str:
    """Returns "99.93 %" of the pixels, with the things that both found where it is an instance model, and marks a miss."""
    engine, precision = row["engine"]["name"], row["precision"]
    with (
        edgeseg.load(row["model"], engine=BASE[0], precision=BASE[1]) as reference,
        edgeseg.load(row["model"], engine=engine, precision=precision) as tested,
    ):
        verification = Verification(reference, tested)
        for name, image in frames_of(row["data"], row["split"], frames):
            verification.add(name, image)
    figures, (pixels, _) = verification.figures(), least_agreement(precision)
    things = f"; things {percent(figures['things']['share'])}" if "things" in figures else ""
    return percent(figures["agreement"]) + (" (missed)" if figures["agreement"] < pixels else "") + things


if __name__ == "__main__":
    main()
