"""An instance network at work: a mask for each thing."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.cutouts import Cutouts
from edgeseg.core.errors import BundleError
from edgeseg.core.masks import InstanceMasks
from edgeseg.runtime.engine import Engine
from edgeseg.runtime.stage import Stage
from edgeseg.vision.fit import stretch
from edgeseg.vision.instances import find_things


class Outputs(NamedTuple):
    """What an instance graph ends at, and what `edgeseg.vision.instances` reads.

    boxes: float32 [A, 4], x0 y0 x1 y1 in 0..1 of the image. scores: float32 [A, classes]. coefficients: float32 [A, K].
    prototypes: float32 [K, h, w].
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    prototypes: NDArray[np.float32]


@dataclass(frozen=True)
class _Fitted:
    """The network's input, with the size of the frame that it was made from."""

    image: NDArray[np.uint8]
    height: int
    width: int


@dataclass(frozen=True)
class _Answer:
    """The network's outputs, with the size of the frame that they belong to."""

    outputs: Outputs
    height: int
    width: int


class InstanceSegmenter:
    """An instance network on a CPU engine: fit, engine, tail. Raises BundleError for a graph that ends at other outputs."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine.info
        self._engine = engine
        self.stages = (Stage("fit", self._fit), Stage("engine", self._infer), Stage("tail", self._decode))
        _check_outputs(bundle, engine.infer(np.zeros((bundle.height, bundle.width, 3), dtype=np.uint8)))

    def __call__(self, image: NDArray[np.uint8]) -> InstanceMasks:
        """See `Segmenter`. Raises UsageError for anything but a uint8 [H, W, 3] array."""
        return self._decode(self._infer(self._fit(image)))

    def outputs(self, image: NDArray[np.uint8]) -> Outputs:
        """Returns what the network says of an image before the tail: `decode_instances(*outputs, height, width)`."""
        return self._infer(self._fit(image)).outputs

    def warm_up(self) -> None:
        """Compiles the tail (once a machine, then read from the cache), so that the first frame is as quick as the others."""
        # Two things are made up that fill the frame, since no image is known to show anything.
        boxes = np.array([[0, 0, 1, 1]] * 2, dtype=np.float32)
        ones = np.ones((2, 1), dtype=np.float32)
        find_things(boxes, ones, ones, np.ones((1, 2, 2), dtype=np.float32), 2, 2)

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()

    def __enter__(self) -> InstanceSegmenter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fit(self, image: NDArray[np.uint8]) -> _Fitted:
        return _Fitted(stretch(image, self.bundle.width, self.bundle.height), *image.shape[:2])

    def _infer(self, fitted: _Fitted) -> _Answer:
        answer = self._engine.infer(fitted.image)
        # Copies, since the engine writes the next frame's outputs while the tail still reads these.
        return _Answer(Outputs(*(answer[name][0].copy() for name in Outputs._fields)), fitted.height, fitted.width)

    def _decode(self, answer: _Answer) -> InstanceMasks:
        things = find_things(*answer.outputs, answer.height, answer.width)
        cutouts = Cutouts(things.windows, things.cutouts, answer.height, answer.width)
        return InstanceMasks(cutouts, things.boxes, things.scores, things.labels, self.bundle.classes)


def _check_outputs(bundle: Bundle, answer: dict[str, NDArray[np.float32]]) -> None:
    """Raises BundleError unless the graph ends at `Outputs` whose shapes agree."""
    match tuple(answer[name].shape if name in answer else () for name in Outputs._fields):
        case ((1, a, 4), (1, b, classes), (1, c, k), (1, p, _, _)) if a == b == c and k == p:
            if classes == len(bundle.classes):
                return
    said = ", ".join(f"{name} {list(array.shape)}" for name, array in answer.items())
    raise BundleError(
        f"{bundle.path}: an instance graph of {len(bundle.classes)} classes ends at boxes [1, A, 4], scores [1, A, "
        f"{len(bundle.classes)}], coefficients [1, A, K], prototypes [1, K, h, w], this one at {said}; export the bundle anew"
    )
