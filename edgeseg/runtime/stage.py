"""What the loop and the user's code see of a model: image in, masks out, in steps that may run side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.masks import Masks
from edgeseg.core.result import EngineInfo


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
