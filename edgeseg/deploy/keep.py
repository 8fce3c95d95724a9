"""What is kept of a quantization: the graphs in the bundle, and in calib/ what they were made with and why so."""

from __future__ import annotations

import datetime
import json
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from edgeseg.core.bundle import Bundle, amend_bundle
from edgeseg.core.errors import BundleError
from edgeseg.deploy.calibration import fingerprints
from edgeseg.deploy.quantize import Outcome
from edgeseg.runtime.cpu import cpu_name

RECORDS = ("manifest.json", "ranges.json", "report.json")


def calib_folder(bundle: Bundle) -> Path:
    """Returns where the records of a bundle go: calib/NAME beside the folder engines/, else beside the bundle itself."""
    shelf = bundle.path.resolve().parent
    return (shelf.parent if shelf.name == "engines" else shelf) / "calib" / bundle.path.resolve().name


def keep(outcome: Outcome, folder: Path) -> Bundle:
    """Puts the graphs into the bundle and the records into `folder`, each whole or not at all. Raises BundleError.

    folder: its records of an earlier quantization are replaced, other files in it left alone.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BundleError(f"{folder} can't be written ({error.strerror}): choose another --calib") from error
    try:
        for name, document in zip(RECORDS, (manifest(outcome), ranges(outcome), report(outcome)), strict=True):
            (draft / name).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        amended = _amend(outcome)
        folder.mkdir(exist_ok=True)
        for name in RECORDS:
            (draft / name).replace(folder / name)
    except OSError as error:
        raise BundleError(f"{folder} can't be written ({error.strerror}): choose another --calib") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return amended


def manifest(outcome: Outcome) -> dict[str, Any]:
    """Returns which images INT8 was calibrated with: name and sha256 of the pixels, and how they were chosen."""
    chosen = outcome.chosen
    return {
        "data": chosen.address,
        "how": chosen.how,
        "terms": chosen.calibration.terms,
        "sha256_of": "the image's pixels, uint8 [H, W, 3] BGR, row by row",
        "images": [{"name": name, "sha256": sha} for name, sha in fingerprints(chosen.calibration).items()],
    }


def ranges(outcome: Outcome) -> dict[str, Any]:
    """Returns the largest magnitude that INT8 tells in each tensor, by every method, and the method that was taken."""
    rounded = {
        name: {how: float(f"{value:.6g}") for how, value in found.items()} for name, found in outcome.ranges.items()
    }
    return {"method": outcome.method, "points_on_trial_images": outcome.methods, "ranges": rounded}


def report(outcome: Outcome) -> dict[str, Any]:
    """Returns the JSON object of `edgeseg quantize --json`: what each graph is worth and costs, and why it is as it is."""
    reference = outcome.reference
    return {
        "model": outcome.bundle.name,
        "data": outcome.chosen.address,
        "split": outcome.chosen.split,
        "calibrated_with": outcome.chosen.how,
        "images": len(outcome.chosen.judged),
        "metric": reference.metric,
        "max_drop": outcome.wishes.max_drop,
        "held": outcome.held,
        "points": {"fp32": reference.points, **{key: made.score.points for key, made in outcome.made.items()}},
        "drop": {precision: outcome.drop(precision) for precision in outcome.made},
        "per_class": {
            "fp32": reference.per_class,
            **{key: made.score.per_class for key, made in outcome.made.items()},
        },
        "in_float": {precision: made.by_reason() for precision, made in outcome.made.items()},
        "method": outcome.method,
        "points_by_method": outcome.methods,
        "points_by_layers_in_float": {str(count): points for count, points in outcome.tries.items()},
        "cost_of_layers": [vars(cost) for cost in outcome.costs],
        "ms": [vars(timing) for timing in outcome.timings],
        "verdict": outcome.verdict,
        "warnings": list(outcome.chosen.warnings),
        "device": cpu_name(),
        "versions": {
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "python": platform.python_version(),
        },
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
    }


def _amend(outcome: Outcome) -> Bundle:
    bundle, chosen = outcome.bundle, outcome.chosen
    graphs, quantization = dict(bundle.graphs), dict(bundle.quantization)
    files: dict[str, bytes] = {}
    for precision, made in outcome.made.items():
        name = f"model.{precision}.onnx"
        graphs[precision], files[name] = name, made.graph
        quantization[precision] = {
            "source": bundle.files[bundle.graphs["fp32"]],
            "in_float": made.by_reason(),
            "drop": round(outcome.drop(precision), 3),
            "metric": outcome.reference.metric,
        }
    if "int8" in outcome.made:
        quantization["int8"] |= {"calibration": chosen.address, "how": chosen.how, "ranges": outcome.method}
    rows = [_row(outcome, precision) for precision in outcome.made]
    keys = ("data", "split", "engine", "precision")
    replaced = {tuple(row[key] for key in keys) for row in rows}
    kept = [row for row in bundle.metrics if tuple(row.get(key) for key in keys) not in replaced]
    return amend_bundle(bundle, files, graphs=graphs, metrics=[*kept, *rows], quantization=quantization)


def _row(outcome: Outcome, precision: str) -> dict[str, Any]:
    """A line of the bundle's metrics."""
    score, chosen = outcome.made[precision].score, outcome.chosen
    names = ("mask_ap", "mask_ap50", "box_ap") if outcome.bundle.task == "instances" else ("miou", "boundary_f1")
    return {
        "data": chosen.address,
        "split": chosen.split,
        "engine": "onnxruntime",
        "precision": precision,
        "images": len(chosen.judged),
        **{name: round(score.figures[name], 4) for name in names if score.figures.get(name) is not None},
    }
