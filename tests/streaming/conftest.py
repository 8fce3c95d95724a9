"""Results of a scene that can be drawn in a line: a blue disc that moves over a green ground."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.core.result import EngineInfo, Frame, Result, Timing
from edgeseg.streaming.sinks.picture import Painter

CLASSES = ("ground", "disc")
PALETTE = ((250, 224, 60), (232, 36, 66))
MakeResult = Callable[..., Result]


def disc(index: int, width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (x - width * (0.3 + 0.02 * index)) ** 2 + (y - height / 2) ** 2 <= (height / 4) ** 2


@pytest.fixture
def make_result() -> MakeResult:
    """make_result(index, width, height, captured_ns, source, instances) -> Result"""

    def make(
        index: int = 0,
        width: int = 160,
        height: int = 120,
        captured_ns: int | None = None,
        source: str = "scene",
        instances: bool = False,
    ) -> Result:
        inside = disc(index, width, height)
        image = np.array([[60, 160, 60], [200, 60, 20]], dtype=np.uint8)[inside.astype(int)]
        masks: Masks
        if instances:
            ys, xs = np.nonzero(inside)
            box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], dtype=np.float32)
            masks = InstanceMasks(
                inside[None], box, np.array([0.9], np.float32), np.array([1], np.uint8), CLASSES, np.array([7])
            )
        else:
            masks = SemanticMask(inside.astype(np.uint8), CLASSES)
        captured = index * 33_333_333 if captured_ns is None else captured_ns
        return Result(
            Frame(image, index, captured, source), masks, Timing({}, captured), EngineInfo("none", "fp32", "none", 1)
        )

    return make


@pytest.fixture
def painter() -> Painter:
    return Painter(CLASSES, PALETTE, lambda result: f"scene · frame {result.frame.index}")
