"""How right a stream is while it runs, where its source knows the truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeseg.core.masks import InstanceMasks, SemanticMask
from edgeseg.core.result import Frame, Result
from edgeseg.data.street_instances import SMALLEST
from edgeseg.evaluate.accuracy import scores
from edgeseg.evaluate.identity import Identity
from edgeseg.vision.mapped_instances import mapped_instances
from edgeseg.vision.metrics import ConfusionMatrix


class LiveTruth:
    """Compares the results of one stream with its frames' own truth.

    Of a semantic model the pixels are judged, if its classes are the truth's. Of an instance model the things are, as
    `Identity` has it, if the truth knows all of its classes: what is on the picture, above the model's threshold and with
    the tracker's ids; things that show less than `SMALLEST` pixels are not asked for.
    """

    def __init__(self) -> None:
        self._pixels: ConfusionMatrix | None = None
        self._things: Identity | None = None

    def warm_up(self) -> None:
        """Compiles what the first frame would wait for (once a machine, then read from a cache)."""
        nothing = np.zeros((2, 2), np.uint8)
        ConfusionMatrix(("nothing",)).add(nothing, nothing)
        mapped_instances(nothing.astype(np.uint16), nothing, ("nothing",), ("nothing",))

    def add(self, result: Result) -> None:
        """Judges a result, in the order of delivery; one that can't be judged is left out."""
        frame, masks = result.frame, result.masks
        if frame.truth is None:
            return
        if isinstance(masks, SemanticMask):
            if frame.truth.classes == masks.classes:
                self._pixels = self._pixels or ConfusionMatrix(masks.classes)
                self._pixels.add(frame.truth.labels, masks.labels)
        elif masks.ids is not None:
            truth = true_things(frame, masks.classes)
            if truth is not None:
                self._things = self._things or Identity()
                self._things.add(truth, masks, truth.cutouts.areas() < SMALLEST)

    def brief(self) -> dict[str, str]:
        """Returns the one figure to watch, by its name: mIoU of pixels, F1 of things; empty where nothing was judged."""
        said: dict[str, float | None] = {}
        if self._pixels is not None:
            said["mIoU"] = self._pixels.miou()
        if self._things is not None:
            said["F1"] = self._things.found()["f1"]
        return {name: f"{100 * share:.1f} %" for name, share in said.items() if share is not None}

    def figures(self) -> dict[str, Any] | None:
        """Returns `edgeseg.evaluate.accuracy.scores` of the pixels, `Identity.figures` of the things; None without either."""
        said = scores(self._pixels) if self._pixels is not None else {}
        if self._things is not None:
            said |= self._things.figures()
        return said or None


def true_things(frame: Frame, classes: tuple[str, ...]) -> InstanceMasks | None:
    """Returns the true things of these classes in a frame, with their ids; None where its source does not know them all."""
    if frame.truth is None or frame.truth_ids is None or not set(classes) <= set(frame.truth.classes):
        return None
    return mapped_instances(frame.truth_ids, frame.truth.labels, frame.truth.classes, classes)
