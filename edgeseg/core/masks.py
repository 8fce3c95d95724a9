"""What a model says about an image: a class for each pixel, or a mask for each thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core import rle
from edgeseg.core.cutouts import Cutouts
from edgeseg.core.errors import UsageError, did_you_mean


def _class_id(name: str, classes: tuple[str, ...]) -> int:
    if name not in classes:
        raise UsageError(f"this model has no class {name!r}: {did_you_mean(name, classes)}")
    return classes.index(name)


@dataclass(frozen=True, eq=False)
class SemanticMask:
    """A class for each pixel.

    labels: uint8 [H, W], class ids, at the image's own size.
    classes: class names by id.
    sureness: computes `confidence`, or None where nothing is left to compute it from.
    """

    labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    sureness: Callable[[], NDArray[np.float32]] | None = None

    @cached_property
    def confidence(self) -> NDArray[np.float32] | None:
        """float32 [H, W] in 0..1, the probability of each pixel's class; computed when first asked for.

        None for a truth, and on a GPU, which the network's logits never leave.
        """
        return self.sureness() if self.sureness is not None else None

    def of(self, name: str) -> NDArray[np.bool_]:
        """Returns bool [H, W], true where the pixel is of class `name`. Raises UsageError for an unknown class."""
        return self.labels == _class_id(name, self.classes)


@dataclass(frozen=True, eq=False)
class InstanceMasks:
    """A mask for each thing seen.

    given: the masks, in whole or cut out; `masks` and `cutouts` give them in either form, made when first asked for.
    boxes: float32 [N, 4], x0 y0 x1 y1 in pixels.
    scores: float32 [N] in 0..1.
    labels: uint8 [N], class ids.
    classes: class names by id.
    ids: int64 [N], the same number for the same thing from frame to frame, or None without a tracker.
    """

    given: NDArray[np.bool_] | Cutouts
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]
    ids: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.given)

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """bool [N, H, W], at the image's own size. Whole masks of many things cost more than finding them: see `cutouts`."""
        return self.given.whole() if isinstance(self.given, Cutouts) else self.given

    @cached_property
    def cutouts(self) -> Cutouts:
        """The masks where they may be true."""
        return self.given if isinstance(self.given, Cutouts) else Cutouts.of(self.given)

    def chosen(self, which: NDArray[np.bool_]) -> InstanceMasks:
        """Returns some of the things, bool [N]."""
        return replace(
            self,
            given=self.given.chosen(which) if isinstance(self.given, Cutouts) else self.given[which],
            boxes=self.boxes[which],
            scores=self.scores[which],
            labels=self.labels[which],
            ids=None if self.ids is None else self.ids[which],
        )

    def of(self, name: str) -> NDArray[np.bool_]:
        """Returns bool [H, W], true where any thing of class `name` is. Raises UsageError for an unknown class."""
        return self.cutouts.chosen(self.labels == _class_id(name, self.classes)).any()

    def to_supervision(self) -> dict[str, Any]:
        """Returns the arguments of `supervision.Detections`, for its annotators, zones and trackers:
        `supervision.Detections(**masks.to_supervision())`.

        xyxy: float32 [N, 4]. mask: bool [N, H, W], whole. confidence: float32 [N]. class_id: int64 [N]. tracker_id: int64 [N]
        or None. data: class_name, str [N].
        """
        labels = self.labels.astype(np.int64)
        return {
            "xyxy": self.boxes,
            "mask": self.masks,
            "confidence": self.scores,
            "class_id": labels,
            "tracker_id": self.ids,
            "data": {"class_name": np.array(self.classes)[labels]},
        }

    def to_coco(self) -> list[dict[str, Any]]:
        """Returns one COCO result a thing: segmentation (RLE), bbox (x y w h, px), score, category, and id where tracked."""
        results: list[dict[str, Any]] = []
        cut = self.cutouts
        for position, (window, pixels) in enumerate(zip(cut.windows, cut.pixels, strict=True)):
            x0, y0, x1, y1 = (float(v) for v in self.boxes[position])
            result: dict[str, Any] = {
                "segmentation": rle.encode_cutout(pixels, int(window[0]), int(window[1]), cut.height, cut.width),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "score": float(self.scores[position]),
                "category": self.classes[int(self.labels[position])],
            }
            if self.ids is not None:
                result["id"] = int(self.ids[position])
            results.append(result)
        return results


Masks = SemanticMask | InstanceMasks
