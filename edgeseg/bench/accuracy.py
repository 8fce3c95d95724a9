"""How right a model is: its masks against labels, through the very segmenter that `run` uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import SemanticMask
from edgeseg.data.samples import Samples
from edgeseg.runtime.segmenter import Segmenter
from edgeseg.vision.metrics import ConfusionMatrix


def judge(
    segmenter: Segmenter, samples: Samples, progress: Callable[[int], object] = lambda done: None
) -> dict[str, Any]:
    """Returns the fields of `edgeseg eval --json`: images, miou, pixel_accuracy, dice, per_class {name: iou}.

    Fractions 0..1, over all pixels of all images together, at the labels' own size; pixels with the ignore id are not
    judged. A class that is in no label and no answer has null, and does not count in the means.
    progress: called with the number of images done. Raises UsageError where the data's classes are not the model's.
    """
    classes = segmenter.bundle.classes
    if samples.classes != classes:
        raise UsageError(
            f"{segmenter.bundle.name} knows {len(classes)} classes ({', '.join(classes)}), "
            f"the data {len(samples.classes)} ({', '.join(samples.classes)}): give data with the model's classes"
        )
    matrix = ConfusionMatrix(classes)
    for index in range(len(samples)):
        _, image, labels = samples[index]
        masks = segmenter(image)
        assert isinstance(masks, SemanticMask)
        matrix.add(labels, masks.labels, segmenter.bundle.ignore_id)
        progress(index + 1)
    return {"images": len(samples), **scores(matrix)}


def scores(matrix: ConfusionMatrix) -> dict[str, Any]:
    """Returns miou, pixel_accuracy, dice and per_class as JSON numbers; what can't be said is null."""
    return {
        "miou": _number(matrix.miou()),
        "pixel_accuracy": _number(matrix.pixel_accuracy()),
        "dice": _number(float(np.nanmean(matrix.dice())) if np.isfinite(matrix.miou()) else float("nan")),
        "per_class": {name: _number(iou) for name, iou in zip(matrix.classes, matrix.iou(), strict=True)},
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
