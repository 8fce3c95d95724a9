"""What is behind, blurred or replaced: the classes that stay in front are cut out with a soft edge that follows the picture.

The mask is refined by a guided filter (He, Sun, Tang: Guided Image Filtering, ECCV 2010) in its fast form (He, Sun 2015):
near the mask's edge, alpha is fitted as a line over the picture's grey values on a small copy, and that line is evaluated on
the full picture, so that a network's coarse edge comes to lie on the one that can be seen beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError, did_you_mean
from edgeseg.core.masks import InstanceMasks, Masks
from edgeseg.vision.overlay import compose

BEHIND = "background"
"""The class that by its name is never in front."""

FORMS = "blur, a colour such as '#00ff00', or a picture file"

SMALL = 320
"""The longest side of the copy on which mask and blur are computed: their cost is the same for every size of picture."""

RADIUS = 3
SMOOTHNESS = 0.002
STEEPNESS = 4.0
"""Of the guided filter: half its window in pixels of the small copy; variance (of grey in 0..1) that counts as an edge; how
much steeper than fitted alpha rises through 1/2, which leaves a seam of few pixels where the picture has no edge to follow."""

BLUR = 3.0
"""Sigma in pixels of a copy of half the small one's size: 24 pixels at 1280."""

STILL, MOVING = 0.25, 0.05
"""How much of a new mask is taken where the picture stands still, and the change of grey (0..1) from which on all of it is."""


def in_front(classes: Sequence[str], keep: Sequence[str] | None = None) -> tuple[str, ...]:
    """Returns the names of the classes that stay in front: `keep`, or all but "background".

    Raises UsageError for a name that is not of `classes`, and without `keep` where no class is called "background".
    """
    if keep is None:
        if BEHIND not in classes:
            raise UsageError(f"no class is called {BEHIND!r}: name those that stay in front ({', '.join(classes)})")
        return tuple(name for name in classes if name != BEHIND)
    for name in keep:
        if name not in classes:
            raise UsageError(f"this model has no class {name!r} to keep: {did_you_mean(name, classes)}")
    return tuple(keep)


class Background:
    """Blurs or replaces what is behind: `Background("blur", keep=("person",))(image, masks)`.

    behind: "blur", a colour ("#00ff00", RGB), or a picture's file, which is scaled to fill the frame and cut to it.
    keep: names of the classes that stay in front; None for all but "background". steady: for the frames of one stream, in
    their order: holds the edge still where the picture stands still. Raises UsageError for anything else.
    """

    def __init__(
        self, behind: str | os.PathLike[str], keep: Sequence[str] | None = None, *, steady: bool = False
    ) -> None:
        self._blur = behind == "blur"
        self._picture = None if self._blur else _picture(os.fspath(behind))
        self._fitted: NDArray[np.uint8] | None = None
        self._keep = keep
        self._steadier = Steadier() if steady else None

    def __call__(self, image: NDArray[np.uint8], masks: Masks) -> NDArray[np.uint8]:
        """Returns a new picture, uint8 [H, W, 3] BGR. image: uint8 [H, W, 3], BGR. masks: of the same size.

        Raises UsageError where the sizes differ, and for classes as `in_front` does.
        """
        front = _front(masks, in_front(masks.classes, self._keep))
        height, width = front.shape
        if image.shape[:2] != front.shape:
            raise UsageError(
                f"masks of {width}x{height} don't fit a picture of {image.shape[1]}x{image.shape[0]}: use its own frame's"
            )
        step = max(1.0, max(height, width) / SMALL)
        size = max(1, round(width / step)), max(1, round(height / step))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        guide = np.float32(1 / 255) * cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        cover = np.float32(1 / 255) * cv2.resize(front, size, interpolation=cv2.INTER_LINEAR)
        if self._steadier is not None:
            cover = self._steadier(guide, cover)
        slope, offset = (cv2.resize(plane, (width, height)) for plane in edge_line(guide, cover))
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        # Rounded and cut to 0..255 by OpenCV as it makes bytes of it.
        alpha = cv2.add(cv2.multiply(slope, grey, dtype=cv2.CV_32F), offset, dtype=cv2.CV_8U)
        out = self._behind(small, cover, height, width)
        compose(out, np.ascontiguousarray(image), np.asarray(cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR), np.uint8), 0, 0)
        return out

    def _behind(
        self, small: NDArray[np.uint8], cover: NDArray[np.float32], height: int, width: int
    ) -> NDArray[np.uint8]:
        if self._picture is None:
            return np.asarray(cv2.resize(blurred(small, cover), (width, height)), dtype=np.uint8)
        if self._fitted is None or self._fitted.shape[:2] != (height, width):
            self._fitted = _filling(self._picture, height, width)
        return self._fitted.copy()


class Steadier:
    """Averages a mask over time where the picture stands still, and takes the new one where it moves.

    So an edge that flickers comes to rest, and neither a moving thing nor a cut draws a trail. Another size starts anew.
    """

    def __init__(self) -> None:
        self._guide: NDArray[np.float32] | None = None
        self._cover: NDArray[np.float32] | None = None

    def __call__(self, guide: NDArray[np.float32], cover: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the steadied mask, float32 [h, w]. guide: the grey picture, cover: its mask, float32 [h, w] in 0..1."""
        if self._guide is not None and self._cover is not None and self._cover.shape == cover.shape:
            change = cv2.blur(cv2.absdiff(guide, self._guide), (5, 5)) * np.float32(1 / MOVING)
            new = np.clip(change, STILL, 1, dtype=np.float32)
            cover = (self._cover + (cover - self._cover) * new).astype(np.float32, copy=False)
        self._guide, self._cover = guide, cover
        return cover


def edge_line(
    guide: NDArray[np.float32], cover: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns slope and offset, float32 [h, w] each: alpha in 0..255 is slope * grey in 0..255 + offset, cut to 0..255.

    guide: the grey picture, cover: its mask, float32 [h, w] in 0..1. The guided filter, made steeper.
    """
    mean_guide, mean_cover = _mean(guide), _mean(cover)
    variance = _mean(guide * guide) - mean_guide * mean_guide
    slope = (_mean(guide * cover) - mean_guide * mean_cover) / (variance + np.float32(SMOOTHNESS))
    offset = _mean(mean_cover - slope * mean_guide)
    half = np.float32(0.5)
    return _mean(slope) * np.float32(STEEPNESS), ((offset - half) * np.float32(STEEPNESS) + half) * np.float32(255)


def _mean(plane: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(plane, (2 * RADIUS + 1, 2 * RADIUS + 1)), dtype=np.float32)


def blurred(small: NDArray[np.uint8], cover: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Returns the blurred picture at half the size, uint8 [h / 2, w / 2, 3].

    Each pixel is the mean of what is behind around it: what is in front would shine around itself. small: uint8 [h, w, 3],
    BGR. cover: float32 [h, w], 1 where something is in front.
    """
    size = max(1, small.shape[1] // 2), max(1, small.shape[0] // 2)
    front = cv2.dilate(cv2.resize(cover, size, interpolation=cv2.INTER_AREA), np.ones((3, 3), np.uint8))
    # Where nothing behind is near, the little that is left of everything else gives the colour.
    weight = np.maximum(1 - front, np.float32(1e-4))
    colour = cv2.resize(small, size, interpolation=cv2.INTER_AREA) * weight[..., None]
    spread = cv2.GaussianBlur(cv2.merge([*cv2.split(colour), weight]), (0, 0), BLUR)
    return np.rint(spread[..., :3] / spread[..., 3:]).astype(np.uint8)


def _front(masks: Masks, names: tuple[str, ...]) -> NDArray[np.uint8]:
    """255 where one of the classes is, uint8 [H, W]."""
    if isinstance(masks, InstanceMasks):
        chosen = np.isin(masks.labels, [masks.classes.index(name) for name in names])
        return masks.cutouts.chosen(chosen).any().astype(np.uint8) * np.uint8(255)
    table = np.zeros(256, dtype=np.uint8)
    table[[masks.classes.index(name) for name in names]] = 255
    return np.asarray(cv2.LUT(masks.labels, table), dtype=np.uint8)


def _picture(behind: str) -> NDArray[np.uint8]:
    """A colour as a picture of one pixel, or a file's picture; uint8 [h, w, 3], BGR."""
    if behind.startswith("#"):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", behind):
            raise UsageError(f"no colour {behind!r}: give '#' and six digits from 0 to f, such as '#00ff00' for green")
        return np.frombuffer(bytes.fromhex(behind[1:])[::-1], dtype=np.uint8).reshape(1, 1, 3)
    try:
        # cv2.imread can't open every name on every system; bytes it always can.
        encoded = np.frombuffer(Path(behind).read_bytes(), dtype=np.uint8)
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
    except OSError as error:
        raise UsageError(f"no background {behind!r} ({error.strerror}): give {FORMS}") from error
    except cv2.error:
        picture = None
    if picture is None:
        raise UsageError(f"{behind} is no picture that can be read: give {FORMS}")
    return np.asarray(picture, dtype=np.uint8)


def _filling(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The picture's middle, scaled so that it fills the frame."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    size = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width], dtype=np.uint8)
