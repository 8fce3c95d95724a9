"""A semantic network at work: a class for each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.masks import SemanticMask
from edgeseg.runtime.engine import Engine
from edgeseg.runtime.stage import Stage
from edgeseg.vision.confidence import confidence
from edgeseg.vision.decode import decode
from edgeseg.vision.fit import stretch


@dataclass(frozen=True)
class _Sized:
    """An array on its way through the stages, with the size of the frame that it belongs to."""

    array: NDArray[Any]
    height: int
    width: int


class SemanticSegmenter:
    """A semantic network on a CPU engine: fit, engine, tail."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine.info
        self._engine = engine
        self.stages = (Stage("fit", self._fit), Stage("engine", self._infer), Stage("tail", self._decode))

    def __call__(self, image: NDArray[np.uint8]) -> SemanticMask:
        """See `Segmenter`. Raises UsageError for anything but a uint8 [H, W, 3] array."""
        return self._decode(self._infer(self._fit(image)))

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns what the network says of an image before the tail: float32 [classes, rows, columns] at its own stride."""
        return self._infer(self._fit(image)).array

    def warm_up(self) -> None:
        """Compiles the tail (once a machine, then read from the cache), so that the first frame is as quick as the others."""
        self(np.zeros((self.bundle.height, self.bundle.width, 3), dtype=np.uint8))

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()

    def __enter__(self) -> SemanticSegmenter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fit(self, image: NDArray[np.uint8]) -> _Sized:
        fitted = stretch(image, self.bundle.width, self.bundle.height)
        return _Sized(fitted, *image.shape[:2])

    def _infer(self, fitted: _Sized) -> _Sized:
        # A copy, since the engine writes the next frame's logits while the tail still reads these.
        logits = self._engine.infer(fitted.array)["logits"][0].copy()
        return _Sized(logits, fitted.height, fitted.width)

    def _decode(self, logits: _Sized) -> SemanticMask:
        labels = decode(logits.array, logits.height, logits.width)
        return SemanticMask(labels, self.bundle.classes, partial(confidence, logits.array, logits.height, logits.width))
