"""How right an instance model is: COCO's average precision, through the segmenter that `run` uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError, did_you_mean
from edgeseg.data.instances import Instances, InstanceSamples
from edgeseg.evaluate.worst import WorstFrames
from edgeseg.runtime.instances import InstanceSegmenter
from edgeseg.vision.instances import decode_instances
from edgeseg.vision.precision import LEAST_SCORE, AveragePrecision


def judge_instances(
    segmenter: InstanceSegmenter,
    samples: InstanceSamples,
    progress: Callable[[int], object] = lambda done: None,
    *,
    worst: WorstFrames | None = None,
) -> dict[str, Any]:
    """Returns the figures of `edgeseg eval --json`: images, those of `AveragePrecision`, and frame_ms.

    Precision is judged of every answer with a score of `LEAST_SCORE` or more, of the classes that the data has. What the
    segmenter itself gives, the surer ones, is what frame_ms tells the cost of, the median of the wall time from an image
    to its things in milliseconds, and what `worst` is shown: `class_map`s of the model's classes and, after them, one for
    where there is nothing. progress: called with the number of images done. Raises UsageError where the data has a class that
    the model does not know, or no image.
    """
    known = segmenter.bundle.classes
    model_id = _model_ids(known, samples.classes)
    if not len(samples):
        raise UsageError("there is no image in this split: name another, or more frames")
    precision = AveragePrecision(known)
    seconds: list[float] = []
    for index in range(len(samples)):
        name, image, read = samples[index]
        height, width = image.shape[:2]
        truth = replace(read, labels=model_id[read.labels])
        begin = time.perf_counter()
        outputs = segmenter.outputs(image)
        sure, _, _, sure_labels = decode_instances(*outputs, height, width)
        seconds.append(time.perf_counter() - begin)
        precision.add(truth, *decode_instances(*outputs, height, width, threshold=LEAST_SCORE))
        if worst is not None:
            crowd = np.zeros(len(sure), bool)
            said = Instances(sure, sure_labels.astype(np.int64), crowd)
            worst.offer(name, image, class_map(truth, len(known)), class_map(said, len(known)))
        progress(index + 1)
    return {"images": len(samples), **precision.figures(), "frame_ms": 1e3 * float(np.median(seconds))}


def class_map(things: Instances, nothing: int) -> NDArray[np.uint8]:
    """Returns uint8 [H, W]: the class of the smallest thing at a pixel, else 255 in a crowd, else `nothing`."""
    places = np.full(things.masks.shape[1:], nothing, np.uint8)
    areas = things.masks.sum(axis=(1, 2))
    for thing in np.lexsort((-areas, ~things.crowd)):
        places[things.masks[thing]] = 255 if things.crowd[thing] else things.labels[thing]
    return places


def _model_ids(known: tuple[str, ...], given: tuple[str, ...]) -> NDArray[np.int64]:
    """The model's id of each of the data's classes, int64."""
    for name in given:
        if name not in known:
            raise UsageError(f"the data has a class {name!r}, and the model has none; {did_you_mean(name, known)}")
    return np.array([known.index(name) for name in given], np.int64)
