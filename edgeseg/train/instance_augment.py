"""What training does to an image and the masks of its things. Deterministic from the generator that it is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.classes import IGNORE_ID
from edgeseg.data.instances import mask_boxes
from edgeseg.data.packed import PackedInstances
from edgeseg.train.augment import PADDING_BGR, placement, recoloured
from edgeseg.train.recipe import View

Pixels = NDArray[np.uint8]

LEAST_SHARE = 0.1
"""Of a thing's area: where the crop, or what is pasted on it, leaves less to see, it is not judged."""
LEAST_PIXELS = 16
"""As many as a prototype's pixel covers; a smaller thing is not judged."""
LEAST_PASTED = 100
"""Pixels of a thing that is worth pasting."""
LEAST_PIECE = 0.5
"""Of its area that must be seen in one piece: what is in front of a thing at home leaves shreds of it."""
MEETING = (0.35, 0.65)
"""Where the four images of a mosaic meet, as shares of its sides."""
EDGE = 3.0
"""Pixels between a mask and its image's edge up to which the edge cuts the thing: annotators stop short of it."""


@dataclass(frozen=True)
class CopyPaste:
    """How things of other images are pasted into a view (Ghiasi et al. 2021, "Simple Copy-Paste ...").

    They keep their place in a random view of their own image, mirrored as often as not, and lie on top of what is there.
    """

    share: float = 0.5
    """Of the views that another image is looked through for: two of three such images have something fit. 0 = none."""

    most: int = 4
    """Things that are pasted into a view, 1 or more, as many as chance says."""

    scale: tuple[float, float] = (0.4, 1.4)
    """Range of the random zoom of the image that they come from."""


class Target(NamedTuple):
    """The n things of a view: `InstanceTarget` of the losses as arrays, field by field.

    boxes: float32 [n, 4], x0 y0 x1 y1 in 0..1 of the crop, never empty. labels: int64 [n].
    masks: uint8 [n, h, w], at the prototypes' size, 1 where half of a cell or more is the thing's; of a thing that is
    judged never empty. crowd: bool [n], where nothing is judged: neither something to be found nor background.
    labelled: bool [classes], those that were looked for in this image.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: Pixels
    crowd: NDArray[np.bool_]
    labelled: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Labelled:
    """image: uint8 [H, W, 3] BGR. things: what is in it. labelled: bool [classes], as in `Target`."""

    image: Pixels
    things: PackedInstances
    labelled: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Scene:
    """A view and those things of which it has a pixel.

    masks: bool [n, h, w]. areas: float64 [n], pixels that each thing would have if all of it were seen.
    frame: float64 [2, 2], the upper left and lower right corner (x, y) of the whole image, in the crop's pixels.
    """

    image: Pixels
    masks: NDArray[np.bool_]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    areas: NDArray[np.float64]
    frame: NDArray[np.float64]


def augment_instances(
    sample: Labelled,
    view: View,
    rng: np.random.Generator,
    donor: Labelled | None = None,
    paste: CopyPaste | None = None,
    beside: Sequence[Labelled] = (),
) -> tuple[Pixels, Target]:
    """Returns a random view, uint8 [h, w, 3] BGR, and its things; masks of `prototype_side` rows and columns.

    donor: another image, whose things are pasted as `paste` says. beside: none, or three more images that the view is
    shared with; only what was looked for in all four counts as looked for.
    """
    labelled = np.logical_and.reduce([sample.labelled, *(other.labelled for other in beside)])
    scene = _mosaic((sample, *beside), view, rng) if beside else _view(sample, view, rng)
    if donor is not None:
        paste = paste or CopyPaste()
        source = _seen(donor, _donor_placement(donor, view, paste, rng), view.crop)
        count = int(rng.integers(1, paste.most + 1))
        chosen = rng.permutation(_worth_pasting(source))[:count]
        scene = _pasted(scene, source, chosen) if len(chosen) else scene
    shown = scene.image
    if view.blur and rng.random() < view.blur:
        shown = np.asarray(cv2.GaussianBlur(shown, (0, 0), rng.uniform(0.3, 1.5)), np.uint8)
    return recoloured(shown, view.colour, rng), _target(scene, labelled)


def prototype_side(side: int) -> int:
    """Returns how many pixels a prototype has along a side of the input of `side` pixels: 138 for 550, 104 for 416."""
    return 2 * math.ceil(side / 8)


def _label_map(things: PackedInstances, painted: bool) -> Pixels:
    """Returns uint8 [H, W]: the classes of judged things where they are `painted`, IGNORE_ID elsewhere."""
    labels = np.full((things.height, things.width), IGNORE_ID, np.uint8)
    for position in np.flatnonzero(painted & ~things.crowd).tolist():
        x0, y0, x1, y1 = things.boxes[position]
        labels[y0:y1, x0:x1][things.cutout(position) > 0] = things.labels[position]
    return labels


def _mosaic(samples: Sequence[Labelled], view: View, rng: np.random.Generator) -> _Scene:
    """Four images in the corners of a view, each at half the zoom, that meet near its middle.

    After Bochkovskiy et al. 2020, "YOLOv4": small things are met as often as large ones, on four grounds at once.
    """
    (width, height), (x, y) = view.crop, (int(side * rng.uniform(*MEETING)) for side in view.crop)
    corners = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
    image = np.empty((height, width, 3), np.uint8)
    scenes: list[_Scene] = []
    masks: list[NDArray[np.bool_]] = []
    for sample, (x0, y0, x1, y1) in zip(samples, corners, strict=True):
        half = replace(view, crop=(x1 - x0, y1 - y0), scale=(view.scale[0] / 2, view.scale[1] / 2))
        scene = _view(sample, half, rng)
        image[y0:y1, x0:x1] = scene.image
        masks.append(np.pad(scene.masks, ((0, 0), (y0, height - y1), (x0, width - x1))))
        scenes.append(scene)
    return _Scene(
        image,
        np.concatenate(masks),
        np.concatenate([scene.labels for scene in scenes]),
        np.concatenate([scene.crowd for scene in scenes]),
        np.concatenate([scene.areas for scene in scenes]),
        np.array([[0, 0], view.crop], float),
    )


def _view(sample: Labelled, view: View, rng: np.random.Generator) -> _Scene:
    return _seen(sample, placement(_label_map(sample.things, view.balance > 0), view, rng), view.crop)


def _donor_placement(donor: Labelled, view: View, paste: CopyPaste, rng: np.random.Generator) -> NDArray[np.float64]:
    matrix = placement(_label_map(donor.things, painted=False), replace(view, scale=paste.scale, balance=0.0), rng)
    # Whoever is cut off at the waist by the lower edge of an image fits at no other place.
    if rng.random() < 0.5:
        bottom = matrix[1, 1] * (donor.things.height - 0.5) + matrix[1, 2] + 0.5
        matrix[1, 2] += max(view.crop[1] - bottom, 0)
    return matrix


def _seen(sample: Labelled, matrix: NDArray[np.float64], crop: tuple[int, int]) -> _Scene:
    image, things = sample.image, sample.things
    seen = cv2.warpAffine(
        image, matrix, crop, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=PADDING_BGR
    )
    masks = np.zeros((len(things), crop[1], crop[0]), bool)
    for position, mask in enumerate(masks):
        _warp_into(mask, things.cutout(position), things.boxes[position], matrix)
    kept = np.flatnonzero(masks.any(axis=(1, 2)))
    areas = things.areas[kept] * abs(np.linalg.det(matrix[:, :2]))
    frame = _corners(np.array([0, 0, image.shape[1], image.shape[0]]), matrix)
    return _Scene(np.asarray(seen, np.uint8), masks[kept], things.labels[kept], things.crowd[kept], areas, frame)


def _warp_into(mask: NDArray[np.bool_], cutout: Pixels, box: NDArray[np.int64], matrix: NDArray[np.float64]) -> None:
    """Draws a mask into a view, bool [h, w], where it falls: what is beyond the view is cut off."""
    height, width = mask.shape
    (left, top), (right, bottom) = np.clip(_corners(box, matrix), 0, (width, height))
    x0, y0, x1, y1 = int(left), int(top), math.ceil(right), math.ceil(bottom)
    if x0 < x1 and y0 < y1:
        shift = matrix[:, :2] @ box[:2] + matrix[:, 2] - (x0, y0)
        moved = np.column_stack([matrix[:, :2], shift])
        mask[y0:y1, x0:x1] = cv2.warpAffine(255 * cutout, moved, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR) > 127


def _corners(box: NDArray[np.int64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns [2, 2], the upper left and lower right corner (x, y) of a moved box; edges count, not pixels' centres."""
    points = np.array([[box[0] - 0.5, box[2] - 0.5], [box[1] - 0.5, box[3] - 0.5], [1, 1]])
    return np.sort((matrix @ points + 0.5).T, axis=0)


def _worth_pasting(scene: _Scene) -> NDArray[np.intp]:
    """Returns which things are large enough, seen for the most part, of one piece, and not cut off in mid-view."""
    boxes = mask_boxes(scene.masks)
    height, width = scene.masks.shape[1:]
    (left, top), (right, bottom) = scene.frame
    cut = (left > 1) & (boxes[:, 0] < left + EDGE)
    cut |= (top > 1) & (boxes[:, 1] < top + EDGE)
    cut |= (right < width - 1) & (boxes[:, 2] > right - EDGE)
    cut |= (bottom < height - 1) & (boxes[:, 3] > bottom - EDGE)
    candidates = np.flatnonzero(~scene.crowd & ~cut)
    worth = [_largest_piece(scene.masks[k]) >= max(LEAST_PASTED, LEAST_PIECE * scene.areas[k]) for k in candidates]
    return candidates[np.array(worth, bool)]


def _largest_piece(mask: NDArray[np.bool_]) -> int:
    """Returns the pixels of the largest connected part of a mask, bool [h, w]."""
    statistics = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2]
    return int(statistics[1:, cv2.CC_STAT_AREA].max())


def _pasted(scene: _Scene, source: _Scene, chosen: NDArray[np.intp]) -> _Scene:
    """Returns the scene with the chosen things of the source on top, blended over one pixel at their edges."""
    over = source.masks[chosen].any(axis=0)
    weight = cv2.blur(np.asarray(over, np.float32), (3, 3))
    return _Scene(
        np.asarray(cv2.blendLinear(source.image, scene.image, weight, 1 - weight), np.uint8),
        np.concatenate([scene.masks & ~over, source.masks[chosen]]),
        np.concatenate([scene.labels, source.labels[chosen]]),
        np.concatenate([scene.crowd, source.crowd[chosen]]),
        np.concatenate([scene.areas, source.areas[chosen]]),
        scene.frame,
    )


def _target(scene: _Scene, labelled: NDArray[np.bool_]) -> Target:
    pixels = np.array([np.count_nonzero(mask) for mask in scene.masks], np.int64)
    kept = np.flatnonzero(pixels)
    height, width = scene.masks.shape[1:]
    masks = np.zeros((len(kept), prototype_side(height), prototype_side(width)), np.uint8)
    for coarse, mask in zip(masks, scene.masks[kept], strict=True):
        shares = cv2.resize(255 * mask.astype(np.uint8), coarse.shape[::-1], interpolation=cv2.INTER_AREA)
        coarse[:] = shares > 127
    judged = (pixels[kept] >= np.maximum(LEAST_SHARE * scene.areas[kept], LEAST_PIXELS)) & masks.any(axis=(1, 2))
    boxes = mask_boxes(scene.masks[kept]) / np.array([width, height] * 2, np.float32)
    return Target(boxes, scene.labels[kept], masks, scene.crowd[kept] | ~judged, labelled)
