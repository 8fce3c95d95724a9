"""How restless a model's answer is where nothing changed, on the rendered street, whose truth is known.

Two frames that follow each other are compared pixel by pixel, in place: a pixel whose true class is the same in both should
have one label in both, right or wrong. No motion is followed, so a pixel counts also where the camera moves along a surface
of one class. In `steady_share` only pixels count of which all of the 5x5 around have that class in both frames, so that moving
edges, where half a pixel decides, are left out.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.profile.rows import Flicker
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.synthetic import Street

SEED, WIDTH, HEIGHT, FPS = 7, 640, 360, 30
FRAMES = 60


def measure_flicker(
    segmenter: SemanticSegmenter,
    street: Street | None = None,
    frames: int = FRAMES,
    progress: Callable[[int], object] = lambda done: None,
) -> Flicker | None:
    """Returns the shares over a drive; None for a model of other classes.

    street: by default one that training did not see, at 640x360 and 30 FPS. progress: called with the frames done.
    """
    if segmenter.bundle.classes != STREET_CLASSES:
        return None
    street = street or Street(seed=SEED, width=WIDTH, height=HEIGHT, fps=FPS)
    changed = same = steadily_changed = steadily_same = 0
    before: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
    for index in range(frames):
        view = street.render(index)
        said = segmenter(view.image).labels
        if before is not None:
            unmoved, differs = view.labels == before[0], said != before[1]
            inner = unmoved & _inside(view.labels) & _inside(before[0])
            same, changed = same + int(unmoved.sum()), changed + int((unmoved & differs).sum())
            steadily_same, steadily_changed = (
                steadily_same + int(inner.sum()),
                steadily_changed + int((inner & differs).sum()),
            )
        before = view.labels, said
        progress(index + 1)
    return {
        "source": f"street://?seed={street.seed}&size={street.width}x{street.height}&fps={street.fps:g}",
        "frames": frames,
        "share": changed / max(1, same),
        "steady_share": steadily_changed / max(1, steadily_same),
    }


def _inside(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where all of the 5x5 pixels around have one class, bool [H, W]."""
    square = np.ones((5, 5), np.uint8)
    return np.asarray(cv2.erode(labels, square) == cv2.dilate(labels, square))
