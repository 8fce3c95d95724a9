"""What the tests of the ways out hand on: a blue disc that moves over a green ground, and a bundle that knows the two."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgeseg.core.bundle import Bundle
from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.core.result import EngineInfo, Frame, Result, Timing

CLASSES = ("ground", "disc", "sky")
WIDTH, HEIGHT = 160, 120
IGNORE = 255
SURE, UNSURE = 0.9, 0.6


def scene_bundle(task: str = "semantic") -> Bundle:
    """A bundle without files: what the ways out read of one."""
    return Bundle(
        path=Path(),
        name="scene",
        task=task,
        architecture="none",
        width=WIDTH,
        height=HEIGHT,
        fit="stretch",
        stride=8,
        classes=CLASSES,
        palette=((60, 160, 60), (20, 60, 200), (200, 200, 250)),
        ignore_id=IGNORE,
        graphs={},
        files={},
        metrics=(),
        training={},
        terms="none",
    )


def disc(index: int) -> np.ndarray:
    """Where the disc is in frame `index`: bool [120, 160]."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (x - WIDTH * (0.3 + 0.02 * (index % 20))) ** 2 + (y - HEIGHT / 2) ** 2 <= (HEIGHT / 4) ** 2


def scene_result(index: int = 0, *, instances: bool = False, captured_ns: int | None = None) -> Result:
    """Frame `index` with its exact masks; as instances, the disc is thing 7 and the ground beneath it thing 9."""
    inside = disc(index)
    image = np.array([[60, 160, 60], [200, 60, 20]], dtype=np.uint8)[inside.astype(int)]
    masks: Masks = SemanticMask(
        inside.astype(np.uint8), CLASSES, lambda: np.where(inside, SURE, UNSURE).astype(np.float32)
    )
    if instances:
        ys, xs = np.nonzero(inside)
        boxes = np.array([[0, 0, WIDTH, HEIGHT], [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
        scores, labels = np.array([0.4, 0.9], np.float32), np.array([0, 1], np.uint8)
        whole = np.array([np.ones_like(inside), inside])
        masks = InstanceMasks(whole, boxes, scores, labels, CLASSES, np.array([9, 7]))
    captured = index * 33_333_333 if captured_ns is None else captured_ns
    timing = Timing({"engine": (captured, captured + 5_000_000)}, captured + 9_000_000)
    return Result(Frame(image, index, captured, "scene"), masks, timing, EngineInfo("none", "fp32", "none", 1))
