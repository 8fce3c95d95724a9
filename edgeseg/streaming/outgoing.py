"""What of a result leaves the process: label map, things and capture time, at the size that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import UsageError, did_you_mean
from edgeseg.core.masks import InstanceMasks, SemanticMask
from edgeseg.core.result import Result
from edgeseg.streaming.wall_clock import WallClock
from edgeseg.vision.overlay import colour_of_id, paint

MOST_THINGS = 255
UNTRACKED = -1
THING = np.dtype([("id", "<i8"), ("label", "<u4"), ("score", "<f4"), ("box", "<f4", (4,))])
"""A thing: its id from frame to frame (-1 without a tracker), class id, score in 0..1, box x0 y0 x1 y1 in pixels."""


@dataclass(frozen=True, eq=False)
class Outgoing:
    """One result on its way out.

    sequence: counts what its publisher takes up, from 1. captured_wall_ns: capture time, since 1970.
    labels: uint8 [H, W], class ids; what is of no class, or of none chosen, has the model's ignore id.
    things: THING [N], highest score first, at most 255, or None for a semantic model.
    thing_map: uint8 [H, W], 0 where there is no thing, k + 1 where things[k] is; None for a semantic model.
    """

    sequence: int
    captured_wall_ns: int
    result: Result
    labels: NDArray[np.uint8]
    things: NDArray[np.void] | None = None
    thing_map: NDArray[np.uint8] | None = None

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture at the size of the label map, uint8 [H, W, 3] BGR."""
        height, width = self.labels.shape
        image = self.result.frame.image
        if image.shape[:2] == (height, width):
            return image
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    @property
    def confidence(self) -> NDArray[np.uint8] | None:
        """How sure the model is of each pixel's class, uint8 [H, W], 255 for certain; None where that is not known."""
        masks = self.result.masks
        sure = masks.confidence if isinstance(masks, SemanticMask) else None
        if sure is None:
            return None
        height, width = self.labels.shape
        if sure.shape != (height, width):
            sure = cv2.resize(sure, (width, height), interpolation=cv2.INTER_AREA)
        return np.rint(sure * 255).astype(np.uint8)

    def painted(self, palette: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
        """Returns the picture with its classes, or its things, in colour: uint8 [H, W, 3] BGR. palette: RGB by class id."""
        if self.things is None or self.thing_map is None:
            return paint(self.image, self.labels, palette)
        colours = [
            palette[thing["label"]] if thing["id"] == UNTRACKED else colour_of_id(int(thing["id"]))
            for thing in self.things
        ]
        # 0, where there is no thing, becomes 255, which stays unpainted.
        return paint(self.image, self.thing_map - np.uint8(1), colours)


class Outbox:
    """Makes what leaves of a result.

    names: the classes that leave, None for all. size: width and height of what leaves, None for the frame's own.
    Raises UsageError for a class that the model has not.
    """

    def __init__(self, bundle: Bundle, names: Sequence[str] | None = None, size: tuple[int, int] | None = None) -> None:
        self.bundle = bundle
        self._ids = _ids_of(names, bundle.classes)
        self._size = size
        self._clock = WallClock()
        self._relabel: NDArray[np.uint8] | None = None
        if names is not None:
            self._relabel = np.full(256, bundle.ignore_id, np.uint8)
            self._relabel[self._ids] = self._ids

    def __call__(self, result: Result, sequence: int) -> Outgoing:
        """Returns what leaves of this result."""
        wall_ns = self._clock(result.frame.captured_ns)
        if isinstance(result.masks, SemanticMask):
            labels = result.masks.labels
            if self._relabel is not None:
                labels = np.asarray(cv2.LUT(labels, self._relabel), np.uint8)
            return Outgoing(sequence, wall_ns, result, self._sized(labels))
        things, thing_map = self._things(result.masks)
        label_of = np.full(256, self.bundle.ignore_id, np.uint8)
        label_of[1 : 1 + len(things)] = things["label"]
        return Outgoing(
            sequence, wall_ns, result, np.asarray(cv2.LUT(thing_map, label_of), np.uint8), things, thing_map
        )

    def _things(self, masks: InstanceMasks) -> tuple[NDArray[np.void], NDArray[np.uint8]]:
        chosen = np.flatnonzero(np.isin(masks.labels, self._ids))
        chosen = chosen[np.argsort(-masks.scores[chosen], kind="stable")][:MOST_THINGS]
        things = np.zeros(len(chosen), THING)
        things["id"] = UNTRACKED if masks.ids is None else masks.ids[chosen]
        things["label"], things["score"], things["box"] = (
            masks.labels[chosen],
            masks.scores[chosen],
            masks.boxes[chosen],
        )
        cut = masks.cutouts
        thing_map = np.zeros((cut.height, cut.width), np.uint8)
        for place in reversed(range(len(chosen))):  # the surest last, so that it stays on top
            x0, y0, x1, y1 = cut.windows[chosen[place]]
            thing_map[y0:y1, x0:x1][cut.pixels[chosen[place]]] = place + 1
        if self._size is not None:
            things["box"] *= np.tile(np.divide(self._size, (cut.width, cut.height)), 2)
        return things, self._sized(thing_map)

    def _sized(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._size is None or plane.shape[::-1] == self._size:
            return plane
        return np.asarray(cv2.resize(plane, self._size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def _ids_of(names: Sequence[str] | None, classes: Sequence[str]) -> NDArray[np.uint8]:
    for name in names or ():
        if name not in classes:
            raise UsageError(f"--classes {name}: this model has no such class: {did_you_mean(name, classes)}")
    return np.array([i for i, name in enumerate(classes) if names is None or name in names], np.uint8)
