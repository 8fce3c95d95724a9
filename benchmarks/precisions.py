"""What each precision on each engine costs and gives, beside the FP32 graph on ONNX Runtime: the table of docs/results.md.

    edgeseg profile --data camvid:DIR --data coco:DIR --json r.json
    python benchmarks/precisions.py r.json [--frames 48]
    python benchmarks/precisions.py r.json --one-thread

Accuracy and milliseconds are the profile's; the agreement is measured here, by what `edgeseg verify` uses, on frames from
all over the very data that the profile judged by. The network alone, on as many threads as the profile's run over a file.
With --one-thread instead: the network alone on one thread, timed here, the rows of a model in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from statistics import median

import edgeseg
from edgeseg.deploy.frames import frames_of
from edgeseg.deploy.verify import Verification, least_agreement, percent
from edgeseg.profile.clip import ClipSource, write_street
from edgeseg.profile.rows import Row, read_rows
from edgeseg.profile.timing import time_engine

BASE = ("onnxruntime", "fp32")
ONE_THREAD = {BASE: "ONNX Runtime FP32", ("openvino", "bf16"): "OpenVINO BF16", ("openvino", "int8"): "OpenVINO INT8"}
TURNS, TURN_SECONDS = 5, 0.6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("profile", type=Path)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--one-thread", action="store_true")
    chosen = parser.parse_args()
    rows = read_rows(chosen.profile)
    if chosen.one_thread:
        one_thread(list(dict.fromkeys(row["model"] for row in rows)))
    else:
        both_cores(rows, chosen.frames)


def both_cores(profiled: list[Row], frames: int) -> None:
    """Prints what the profile says of each row, and how far it agrees with ONNX Runtime's FP32 on so many frames."""
    rows = {(row["model"], row["engine"]["name"], row["precision"]): row for row in profiled}
    print("| model | engine, precision | accuracy | agreement with FP32 | network alone, p50 | over FP32 |")
    print("|---|---|---|---|---|---|")
    for (model, engine, precision), row in rows.items():
        base = rows.get((model, *BASE))
        ms, accuracy = row["alone"]["ms"]["p50"], row["accuracy"]
        cells = [
            f"`{model}`",
            f"{engine} {precision.upper()}",
            "-" if accuracy["value"] is None else f"{100 * accuracy['value']:.1f}",
            "-" if base is None or base is row else agreement(row, frames),
            "-" if ms is None else f"{ms:.1f} ms",
            "-" if base is None or not ms else f"{(base['alone']['ms']['p50'] or 0) / ms:.2f}x",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)


def one_thread(models: list[str]) -> None:
    """Prints a row a model: the median of the turns' medians, and how often that goes into ONNX Runtime's FP32."""
    print("| model | " + " | ".join(ONE_THREAD.values()) + " |")
    print("|---" * (1 + len(ONE_THREAD)) + "|")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        clip = Path(folder) / "street.mp4"
        write_street(clip, 8, (1280, 720))
        for model in models:
            opened = {
                way: stack.enter_context(edgeseg.load(model, engine=way[0], precision=way[1], threads=1))
                for way in ONE_THREAD
            }
            taken: dict[tuple[str, str], list[float]] = {way: [] for way in opened}
            for _ in range(TURNS):
                for way, segmenter in opened.items():
                    with ClipSource(clip, 1) as source:
                        taken[way].append(median(time_engine(segmenter, source, TURN_SECONDS)))
            ms = {way: median(each) for way, each in taken.items()}
            cells = [
                f"{took:.1f} ms" + (f", {ms[BASE] / took:.2f}x" if way != BASE else "") for way, took in ms.items()
            ]
            print(f"| `{model}` | " + " | ".join(cells) + " |", flush=True)


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
