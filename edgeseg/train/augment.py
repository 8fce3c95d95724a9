"""What training does to an image before the network sees it. Deterministic from the generator that it is given."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.data.classes import IGNORE_ID

PADDING_BGR = (104, 116, 124)
"""Beyond the image's edge: ImageNet's mean, which the network's normalisation makes zero."""


@dataclass(frozen=True)
class View:
    """How an image is looked at in training.

    input_size: (width, height) that the deployed network stretches every image to; scale 1 means this size.
    crop: (width, height) that the training step sees. label_stride: image pixels a label of the loss.
    scale: range of the random zoom. aspect: the largest random stretch of one side against the other.
    colour: strength of the random change of brightness, contrast, saturation and tint, 0 = none.
    """

    input_size: tuple[int, int] = (576, 384)
    crop: tuple[int, int] = (576, 384)
    label_stride: int = 2
    scale: tuple[float, float] = (0.5, 2.0)
    aspect: float = 1.15
    colour: float = 0.25


def augment(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], view: View, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Returns a random view: image uint8 [h, w, 3] BGR, and labels uint8 [h / label_stride, w / label_stride]."""
    matrix = _placement(image.shape[1], image.shape[0], view, rng)
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
    return _recoloured(np.asarray(seen, np.uint8), view.colour, rng), np.asarray(judged, np.uint8)


def _placement(width: int, height: int, view: View, rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns the 2x3 matrix from image to crop pixels (pixel centres at whole numbers)."""
    low, high = np.log(view.scale)
    zoom = float(np.exp(rng.uniform(low, high)))
    stretch = float(np.exp(rng.uniform(-1, 1) * np.log(view.aspect) / 2))
    scales = np.array([view.input_size[0] / width * zoom * stretch, view.input_size[1] / height * zoom / stretch])
    spare = np.array(view.crop) - scales * (width, height)
    # An image larger than the crop is cut anywhere; a smaller one lies anywhere inside it.
    offset = spare * rng.uniform(0, 1, 2)
    shift = offset + (scales - 1) / 2
    matrix = np.array([[scales[0], 0, shift[0]], [0, scales[1], shift[1]]])
    if rng.random() < 0.5:
        matrix[0] = [-matrix[0, 0], 0, view.crop[0] - 1 - matrix[0, 2]]
    return matrix


def _recoloured(image: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    if strength == 0:
        return image
    contrast, saturation = 1 + rng.uniform(-strength, strength, 2)
    tint = 1 + rng.uniform(-strength, strength, 3) / 4
    brightness = 255 * rng.uniform(-strength, strength) / 2
    grey = np.array([0.114, 0.587, 0.299])
    mixing = np.diag(tint * saturation) + (1 - saturation) * grey
    matrix = np.column_stack([contrast * mixing, np.full(3, 128 * (1 - contrast) + brightness)])
    return np.asarray(cv2.transform(image, matrix), np.uint8)
