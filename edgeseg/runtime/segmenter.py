"""From an image to its masks: what the loop and the user's code see of a model."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import open_bundle
from edgeseg.core.errors import BundleError
from edgeseg.core.masks import Masks, SemanticMask
from edgeseg.core.result import EngineInfo
from edgeseg.runtime.choose import choose, open_engine
from edgeseg.runtime.engine import Engine
from edgeseg.vision.decode import decode
from edgeseg.vision.fit import stretch

DEFAULT_MODEL = "fast-scnn-street"


@dataclass(frozen=True)
class Stage:
    """A step from image to masks that may run in a thread of its own: the next stage gets what `run` returns."""

    name: str
    run: Callable[[Any], Any]


class Segmenter(Protocol):
    """Image in, masks out.

    bundle: what it was made from. engine: what computes it. stages: the steps, whose composition is the call itself; the
    first takes the image, the last returns the masks.
    """

    bundle: Bundle
    engine: EngineInfo
    stages: tuple[Stage, ...]

    def __call__(self, image: NDArray[np.uint8]) -> Masks:
        """Returns the masks of an image, uint8 [H, W, 3] BGR, at its own size."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Segmenter: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


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
        return SemanticMask(decode(logits.array, logits.height, logits.width), self.bundle.classes)


def load(
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    engine: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
) -> SemanticSegmenter:
    """Opens a model by its bundle's name or folder.

    engine: auto, openvino, onnxruntime. precision: auto, fp32, bf16, fp16, int8. threads: cores the engine may take; by
    default all but one. Raises UsageError (with the nearest names), BundleError, EngineError, MissingPackageError.
    """
    bundle = open_bundle(os.fspath(model))
    if bundle.task != "semantic":
        raise BundleError(
            f"{bundle.path}: its task is {bundle.task}, and this edgeseg runs only semantic ones; upgrade edgeseg"
        )
    segmenter = SemanticSegmenter(bundle, open_engine(bundle, choose(bundle, engine, precision), threads))
    # Compiles the tail (once a machine, then read from the cache), so that the first frame is as quick as the others.
    segmenter(np.zeros((bundle.height, bundle.width, 3), dtype=np.uint8))
    return segmenter
