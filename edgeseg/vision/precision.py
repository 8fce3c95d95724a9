"""COCO's average precision (Lin et al., ECCV 2014), by pycocotools itself."""

from __future__ import annotations

import contextlib
import io
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgeseg.core.rle import encode

LEAST_SCORE = 0.05
"""Average precision asks for the unsure answers too; from this score on they are judged, as in YOLACT's own evaluation."""


class Truth(Protocol):
    """What is in an image, as `edgeseg.data.instances.Instances` has it."""

    @property
    def masks(self) -> NDArray[np.bool_]: ...

    @property
    def boxes(self) -> NDArray[np.float32]: ...

    @property
    def labels(self) -> NDArray[np.int64]: ...

    @property
    def crowd(self) -> NDArray[np.bool_]: ...


class AveragePrecision:
    """COCO's average precision of masks and of boxes, over all images together.

    Crowds are regions where nothing is judged. A true thing counts as small, medium or large by its mask's area
    (32 x 32 and 96 x 96 pixels), an answer by the area of what is judged, its mask or its box. Of an image the 100 surest
    answers of a class count.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes
        self._images: list[dict[str, Any]] = []
        self._truth: list[dict[str, Any]] = []
        self._masks: list[dict[str, Any]] = []
        self._boxes: list[dict[str, Any]] = []

    def add(
        self,
        truth: Truth,
        masks: NDArray[np.bool_],
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        labels: NDArray[np.integer],
    ) -> None:
        """Adds an image: what is in it, and what was answered, bool [N, H, W], x0 y0 x1 y1 in pixels [N, 4], [N], [N]."""
        height, width = truth.masks.shape[1:]
        image = len(self._images) + 1
        self._images.append({"id": image, "height": height, "width": width})
        for mask, box, label, crowd in zip(truth.masks, truth.boxes, truth.labels, truth.crowd, strict=True):
            common = {"image_id": image, "category_id": int(label) + 1, "bbox": _corner_and_size(box)}
            self._truth.append(
                {**common, "segmentation": encode(mask), "area": float(mask.sum()), "iscrowd": int(crowd)}
            )
        for mask, box, score, label in zip(masks, boxes, scores, labels, strict=True):
            corner = _corner_and_size(box)
            common = {"image_id": image, "category_id": int(label) + 1, "score": float(score), "iscrowd": 0}
            self._masks.append({**common, "segmentation": encode(mask), "area": float(mask.sum())})
            self._boxes.append({**common, "bbox": corner, "area": corner[2] * corner[3]})

    def figures(self) -> dict[str, Any]:
        """Returns mask_ap, mask_ap50, mask_ap75, mask_ap_small, mask_ap_medium, mask_ap_large, box_ap, box_ap50, box_ap75,
        per_class {name: mask AP}, things and answers.

        Fractions 0..1, None where there is no true thing; the last two are how many there were.
        """
        masks, boxes = self._evaluated(self._masks, "segm"), self._evaluated(self._boxes, "bbox")
        names = ("mask_ap", "mask_ap50", "mask_ap75", "mask_ap_small", "mask_ap_medium", "mask_ap_large")
        return {
            **{name: _number(value) for name, value in zip(names, masks.stats[:6], strict=True)},
            **{f"box_ap{end}": _number(value) for end, value in zip(("", "50", "75"), boxes.stats[:3], strict=True)},
            "per_class": {name: _number(_class_ap(masks, position)) for position, name in enumerate(self._classes)},
            "things": sum(not thing["iscrowd"] for thing in self._truth),
            "answers": len(self._masks),
        }

    def _evaluated(self, answers: list[dict[str, Any]], kind: Literal["segm", "bbox"]) -> Any:
        # pycocotools tells its progress on standard output, which may be where the figures go.
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(self._coco(self._truth), self._coco(answers), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return evaluation

    def _coco(self, annotations: list[dict[str, Any]]) -> COCO:
        coco: Any = COCO()
        categories = [{"id": position + 1, "name": name} for position, name in enumerate(self._classes)]
        # To pycocotools, a match with id 0 is none.
        numbered = [{**annotation, "id": number} for number, annotation in enumerate(annotations, start=1)]
        coco.dataset = {"images": self._images, "categories": categories, "annotations": numbered}
        coco.createIndex()
        return coco


def _corner_and_size(box: NDArray[np.float32]) -> list[float]:
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return [x0, y0, x1 - x0, y1 - y0]


def _class_ap(evaluation: Any, position: int) -> float:
    """A class's mean precision over overlaps and recalls, at all areas and 100 answers; -1 without a true thing."""
    precision = evaluation.eval["precision"][:, :, position, 0, -1]
    return float(precision[precision > -1].mean()) if (precision > -1).any() else -1.0


def _number(value: float) -> float | None:
    return float(value) if value > -1 else None
