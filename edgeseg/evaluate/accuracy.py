"""How right a model is: its masks against labels, through the very segmenter that `run` uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError
from edgeseg.data.samples import Samples
from edgeseg.evaluate.tta import augmented, views
from edgeseg.runtime.segmenter import SemanticSegmenter
from edgeseg.vision.boundary import BoundaryF1
from edgeseg.vision.metrics import ConfusionMatrix


class Watcher(Protocol):
    """Looks at every judged frame: keeps the worst, say."""

    def offer(self, name: str, image: NDArray[np.uint8], truth: NDArray[np.uint8], answer: NDArray[np.uint8]) -> None:
        """Takes a frame, uint8 [H, W, 3] BGR, and its label maps, uint8 [H, W]."""
        ...


def judge(
    segmenter: SemanticSegmenter,
    samples: Samples,
    progress: Callable[[int], object] = lambda done: None,
    *,
    tta: bool = False,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Returns the figures of `edgeseg eval --json`: images, and those of `Tally`; with `tta` the same again in "tta".

    Every image is judged at its labels' own size; pixels with the ignore id are not judged. progress: called with the
    number of images done. tta: answer each image a second time, with test-time augmentation, and add how many views of a
    frame that takes. watcher: is shown every frame, as answered without it. Raises UsageError where the data's classes are
    not the model's, or there is no image.
    """
    bundle = segmenter.bundle
    _check_classes(bundle.name, bundle.classes, samples.classes)
    if not len(samples):
        raise UsageError("there is no image in this split: name another, or more frames")
    plain, richer = Tally(bundle.classes, bundle.ignore_id), Tally(bundle.classes, bundle.ignore_id)
    for index in range(len(samples)):
        name, image, labels = samples[index]
        answer = plain.add(labels, lambda image=image: segmenter(image).labels)
        if tta:
            richer.add(labels, lambda image=image: augmented(segmenter.logits, image))
        if watcher is not None:
            watcher.offer(name, image, labels, answer)
        progress(index + 1)
    figures = {"images": len(samples), **plain.figures()}
    return {**figures, "tta": {"views": views(), **richer.figures()}} if tta else figures


class Tally:
    """What one way of answering is worth and costs, over all images together."""

    def __init__(self, classes: tuple[str, ...], ignore_id: int) -> None:
        self._matrix, self._boundary = ConfusionMatrix(classes), BoundaryF1(classes)
        self._ignore_id = ignore_id
        self._seconds: list[float] = []

    def add(self, labels: NDArray[np.uint8], answer: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Judges what `answer` returns, uint8 [H, W] as the labels, times it, and passes it on."""
        begin = time.perf_counter()
        predicted = answer()
        self._seconds.append(time.perf_counter() - begin)
        self._matrix.add(labels, predicted, self._ignore_id)
        self._boundary.add(labels, predicted, self._ignore_id)
        return predicted

    def figures(self) -> dict[str, Any]:
        """Returns `scores`, per_class_dice {name: dice}, boundary_f1, per_class_boundary_f1 {name: f1}, and frame_ms.

        The last is the median of the wall time from an image to its labels, in milliseconds.
        """
        classes = self._matrix.classes
        return {
            **scores(self._matrix),
            "per_class_dice": _by_name(classes, self._matrix.dice()),
            "boundary_f1": _number(self._boundary.mean()),
            "per_class_boundary_f1": _by_name(classes, self._boundary.by_class()),
            "frame_ms": 1e3 * float(np.median(self._seconds)),
        }


def scores(matrix: ConfusionMatrix) -> dict[str, Any]:
    """Returns miou, pixel_accuracy, dice and per_class {name: iou} as JSON numbers, fractions 0..1 over all pixels.

    A class that is in no label and no answer has null, and does not count in the means.
    """
    return {
        "miou": _number(matrix.miou()),
        "pixel_accuracy": _number(matrix.pixel_accuracy()),
        "dice": _number(float(np.nanmean(matrix.dice())) if np.isfinite(matrix.miou()) else float("nan")),
        "per_class": _by_name(matrix.classes, matrix.iou()),
    }


def _check_classes(model: str, known: tuple[str, ...], given: tuple[str, ...]) -> None:
    if known == given:
        return
    counts = f"{model} knows {len(known)} classes, the data {len(given)}"
    shared = min(len(known), len(given))
    first = next((i for i in range(shared) if known[i] != given[i]), shared)
    there, here = (repr(names[first]) if first < len(names) else "none" for names in (known, given))
    raise UsageError(f"{counts}; id {first} is {there} to the model, {here} in the data: give data with its classes")


def _by_name(classes: tuple[str, ...], values: NDArray[np.float64]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(classes, values, strict=True)}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
