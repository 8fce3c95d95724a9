"""What training does to an image before the network sees it. Deterministic from the generator that it is given."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.classes import IGNORE_ID
from edgeseg.train.recipe import View

PADDING_BGR = (104, 116, 124)
"""Beyond the image's edge: ImageNet's mean, which the network's normalisation makes zero."""


def augment(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], view: View, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns a random view: image uint8 [h, w, 3] BGR, and labels uint8 [h / label_stride, w / label_stride]."""
    matrix = placement(labels, view, rng)
    stride = view.label_stride
    width, height = view.crop
    seen = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=PADDING_BGR
    )
    # A label stands for stride x stride pixels: it is taken from their middle.
    coarse = np.array([[1 / stride, 0, (1 - stride) / (2 * stride)], [0, 1 / stride, (1 - stride) / (2 * stride)]])
    coarse = coarse @ np.vstack([matrix, [0, 0, 1]])
    judged = cv2.warpAffine(
        labels,
        coarse,
        (width // stride, height // stride),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(IGNORE_ID,),
    )
    if view.blur and rng.random() < view.blur:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, 1.5))
    return recoloured(np.asarray(seen, np.uint8), view.colour, rng), np.asarray(judged, np.uint8)


def placement(labels: NDArray[np.uint8], view: View, rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns the 2x3 matrix from image to crop pixels (pixel centres at whole numbers)."""
    height, width = labels.shape
    low, high = np.log(view.scale)
    zoom = float(np.exp(rng.uniform(low, high)))
    stretch = float(np.exp(rng.uniform(-1, 1) * np.log(view.aspect) / 2))
    scales = np.array([view.input_size[0] / width * zoom * stretch, view.input_size[1] / height * zoom / stretch])
    spare = np.array(view.crop) - scales * (width, height)
    # An image larger than the crop is cut anywhere; a smaller one lies anywhere inside it.
    offset = spare * rng.uniform(0, 1, 2)
    if view.balance and rng.random() < view.balance:
        wanted = rng.uniform(0, 1, 2) * view.crop - scales * _pixel_of_some_class(labels, rng)
        offset = np.clip(wanted, np.minimum(spare, 0), np.maximum(spare, 0))
    shift = offset + (scales - 1) / 2
    matrix = np.array([[scales[0], 0, shift[0]], [0, scales[1], shift[1]]])
    if rng.random() < 0.5:
        matrix[0] = [-matrix[0, 0], 0, view.crop[0] - 1 - matrix[0, 2]]
    return matrix


def _pixel_of_some_class(labels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns (x, y) of a pixel of a class drawn from those that the image has; its middle where it has none."""
    # Every fourth pixel finds all but specks.
    thinned = labels[::4, ::4]
    present = np.flatnonzero(np.bincount(thinned.ravel(), minlength=IGNORE_ID + 1)[:IGNORE_ID])
    if not len(present):
        return np.array([labels.shape[1] / 2, labels.shape[0] / 2])
    rows, columns = np.nonzero(thinned == rng.choice(present))
    chosen = rng.integers(len(rows))
    return np.array([4.0 * columns[chosen], 4.0 * rows[chosen]])


def recoloured(image: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    if strength == 0:
        return image
    contrast, saturation = 1 + rng.uniform(-strength, strength, 2)
    tint = 1 + rng.uniform(-strength, strength, 3) / 4
    brightness = 255 * rng.uniform(-strength, strength) / 2
    grey = np.array([0.114, 0.587, 0.299])
    mixing = np.diag(tint * saturation) + (1 - saturation) * grey
    matrix = np.column_stack([contrast * mixing, np.full(3, 128 * (1 - contrast) + brightness)])
    return np.asarray(cv2.transform(image, matrix), np.uint8)
