"""How far apart two engines, or two precisions, of one bundle are on the same frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import EdgesegError, EngineError
from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.core.result import EngineInfo
from edgeseg.data.instances import Instances
from edgeseg.deploy.agreement import Difference, Things
from edgeseg.evaluate.instance_accuracy import class_map
from edgeseg.runtime.segmenter import InstanceSegmenter, SemanticSegmenter
from edgeseg.vision.disagreement import Views, disagreement_sheet
from edgeseg.vision.metrics import ConfusionMatrix
from edgeseg.vision.overlay import paint, paint_instances

NOTHING = "nothing"
"""What the class map of an instance model calls a pixel without a thing."""
PIXELS, PIXELS_INT8 = 0.998, 0.99
"""Share of the pixels on which two precisions should agree; where one of them is INT8."""
THINGS, THINGS_INT8 = 0.95, 0.9
"""The same of the things that were found. A thing whose score lies near the threshold comes and goes with any rounding."""


def least_agreement(*precisions: str) -> tuple[float, float]:
    """Returns which shares of the pixels, and of the things, engines of these precisions should agree on, 0..1."""
    return (PIXELS_INT8, THINGS_INT8) if "int8" in precisions else (PIXELS, THINGS)


@dataclass(frozen=True, eq=False)
class Disagreement:
    """A frame on which the two do not agree. image: uint8 [H, W, 3] BGR. differs: bool [H, W]. agreement: 0..1."""

    name: str
    image: NDArray[np.uint8]
    reference: Masks
    tested: Masks
    differs: NDArray[np.bool_]
    agreement: float


class Verification:
    """Shows frames to two segmenters of one bundle and keeps count of where they differ.

    A pixel agrees where both give it the same class; of instances, where the smallest thing there is of the same class, or
    there is none. worst: the frame on which they agree least.
    """

    def __init__(
        self, reference: SemanticSegmenter | InstanceSegmenter, tested: SemanticSegmenter | InstanceSegmenter
    ) -> None:
        self._reference, self._tested = reference, tested
        self.reference, self.tested = reference.engine, tested.engine
        classes = reference.bundle.classes
        self._things = Things() if reference.bundle.task == "instances" else None
        self._matrix = ConfusionMatrix(classes if self._things is None else (*classes, NOTHING))
        self._outputs: dict[str, Difference] = {}
        self._frames = 0
        self.worst: Disagreement | None = None

    def add(self, name: str, image: NDArray[np.uint8]) -> None:
        """Compares one frame, uint8 [H, W, 3] BGR. Raises EngineError where an engine answers with what is no number."""
        self._add_outputs(name, image)
        reference, tested = self._reference(image), self._tested(image)
        expected, actual = _classes_seen(reference), _classes_seen(tested)
        self._matrix.add(expected, actual)
        if self._things is not None:
            assert isinstance(reference, InstanceMasks) and isinstance(tested, InstanceMasks)
            self._things.add(reference, tested)
        differs = expected != actual
        agreement = 1 - float(differs.mean())
        if self.worst is None or agreement < self.worst.agreement:
            self.worst = Disagreement(name, image, reference, tested, differs, agreement)
        self._frames += 1

    def figures(self) -> dict[str, Any]:
        """Returns frames, agreement, per_class {name: share}, worst {name, agreement}, outputs {name: {largest, mean,
        deviation}} and, for instances, things {reference, tested, matched, share, mask_iou, score_difference}.

        Shares are fractions 0..1 of the pixels, per class of those to which the reference gives it; null where it gives it
        to none. largest and mean: of the absolute differences of the network's outputs; deviation: the standard deviation of
        the reference's. Raises EdgesegError where no frame was added, or neither of two instance engines found a thing.
        """
        if self.worst is None:
            raise EdgesegError("no frame was compared: give --data with one")
        figures = {
            "frames": self._frames,
            "agreement": self._matrix.pixel_accuracy(),
            "per_class": _shares(self._matrix),
            "worst": {"name": self.worst.name, "agreement": self.worst.agreement},
            "outputs": {name: difference.figures() for name, difference in self._outputs.items()},
        }
        return figures if self._things is None else {**figures, "things": self._things.figures()}

    def picture(self) -> NDArray[np.uint8]:
        """Returns uint8 [H, W, 3] BGR: the frame on which they agree least, as answered, and where they differ."""
        figures, worst, bundle = self.figures(), self.worst, self._reference.bundle
        assert worst is not None
        views = Views(
            worst.image,
            _painted(worst.image, worst.reference, bundle.palette),
            _painted(worst.image, worst.tested, bundle.palette),
            worst.differs,
        )
        names = said(self._reference.engine), said(self._tested.engine)
        lines = [
            f"{names[1]} against {names[0]}: {percent(figures['agreement'])} of the pixels of {self._frames} frames agree",
            f"least on {worst.name}, shown here: {percent(worst.agreement)}{self._exchanged(worst)}",
        ]
        chips = list(zip(bundle.classes, bundle.palette, strict=True))
        return disagreement_sheet(views, names, bundle.name, lines, chips)

    def _exchanged(self, worst: Disagreement, most: int = 3) -> str:
        """The commonest differences on a frame: ": road became pavement 0.12 %", shares of all its pixels."""
        matrix = ConfusionMatrix(self._matrix.classes)
        matrix.add(_classes_seen(worst.reference), _classes_seen(worst.tested))
        shares = matrix.counts / worst.differs.size
        np.fill_diagonal(shares, 0)
        pairs = [divmod(int(place), len(shares)) for place in np.argsort(-shares, axis=None, kind="stable")[:most]]
        words = [
            f"{matrix.classes[was]} became {matrix.classes[is_]} {100 * shares[was, is_]:.2g} %"
            for was, is_ in pairs
            if shares[was, is_] > 0
        ]
        return f"; {', '.join(words)}" if words else ": no pixel differs"

    def _add_outputs(self, name: str, image: NDArray[np.uint8]) -> None:
        expected, actual = _outputs(self._reference, image), _outputs(self._tested, image)
        for engine, outputs in ((self._reference.engine, expected), (self._tested.engine, actual)):
            for output, values in outputs.items():
                if not np.isfinite(values).all():
                    raise EngineError(
                        f"{said(engine)} answers {name} with {output} that are no numbers: take another --engine or "
                        "--precision, or quantize the bundle anew"
                    )
        for output, values in expected.items():
            self._outputs.setdefault(output, Difference()).add(values, actual[output])


def _classes_seen(masks: Masks) -> NDArray[np.uint8]:
    """The class of each pixel, uint8 [H, W]; of instances, after the classes, one for where there is nothing."""
    if isinstance(masks, SemanticMask):
        return masks.labels
    things = Instances(masks.masks, masks.labels.astype(np.int64), np.zeros(len(masks), bool))
    return class_map(things, len(masks.classes))


def _outputs(segmenter: SemanticSegmenter | InstanceSegmenter, image: NDArray[np.uint8]) -> Mapping[str, Any]:
    if isinstance(segmenter, InstanceSegmenter):
        return segmenter.outputs(image)._asdict()
    return {"logits": segmenter.logits(image)}


def _shares(matrix: ConfusionMatrix) -> dict[str, float | None]:
    totals = matrix.counts.sum(axis=1)
    return {
        name: float(matrix.counts[place, place] / totals[place]) if totals[place] else None
        for place, name in enumerate(matrix.classes)
    }


def _painted(image: NDArray[np.uint8], masks: Masks, palette: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
    if isinstance(masks, SemanticMask):
        return paint(image, masks.labels, palette, 0.6)
    return paint_instances(image, masks, palette, 0.6)


def said(engine: EngineInfo) -> str:
    """Returns "openvino bf16"."""
    return f"{engine.name} {engine.precision}"


def percent(share: float) -> str:
    """Returns "99.93 %", with as many digits as tell it from 100."""
    digits = 0 if share == 1 else 2 if share < 0.9999 else 4
    return f"{100 * share:.{digits}f} %"
