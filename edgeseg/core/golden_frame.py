"""The golden frame as a file: an image, and what a model's FP32 graph answers to it, small enough to ship with each model."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outputs = dict[str, NDArray[np.float32]]

IMAGE, SHAPE = "image", ".shape"
MOST = 100_000
"""How many values of an output are kept, about: an engine that computes these right computes the others right."""
LARGEST = 1 << 28
"""An output of more values is none: a bundle is untrusted input."""


def pack(image: NDArray[np.uint8], outputs: Outputs) -> bytes:
    """Returns a .npz: the answers in FP16, every n-th value of the large ones, and of the image the differences between
    neighbours, leftwards and upwards, which compress to two thirds of what the pixels themselves do.

    image: uint8 [H, W, 3]. outputs: float32 arrays by output name; FP16 is within 0.05 % of them, an FP32 engine may be 0.2 %
    off. Answers beyond FP16's range stay FP32.
    """
    differences = image.copy()
    differences[:, 1:] -= image[:, :-1]
    differences[1:] -= differences[:-1].copy()
    arrays: dict[str, Any] = {IMAGE: differences}
    for name, value in outputs.items():
        step = _step(value.size)
        if step > 1:
            arrays[name + SHAPE] = np.array(value.shape)
        arrays[name] = _halved(value.reshape(-1)[::step] if step > 1 else value)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpack(path: Path) -> tuple[NDArray[np.uint8], Outputs]:
    """Returns image and answers, float32 of the graph's shapes, NaN for each value that the file does not hold.

    Raises ValueError, KeyError, OSError or EOFError for a file that holds none.
    """
    with np.load(path, allow_pickle=False) as arrays:
        names = [name for name in arrays.files if name != IMAGE and not name.endswith(SHAPE)]
        shapes = {name: arrays[name + SHAPE] for name in names if name + SHAPE in arrays.files}
        outputs = {name: arrays[name].astype(np.float32) for name in names}
        differences = arrays[IMAGE]
    for name, shape in shapes.items():
        outputs[name] = _spread(outputs[name], tuple(int(side) for side in shape.reshape(-1)))
    if differences.dtype != np.uint8 or differences.ndim != 3:
        raise ValueError(f"{IMAGE} is {differences.dtype} {list(differences.shape)}, not uint8 [H, W, 3]")
    return np.cumsum(np.cumsum(differences, axis=0, dtype=np.uint8), axis=1, dtype=np.uint8), outputs


def _spread(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    size = math.prod(shape)
    if not 0 < len(values) <= size <= LARGEST:
        raise ValueError(f"{len(values)} values of {list(shape)}")
    spread = np.full(size, np.nan, np.float32)
    every = spread[:: _step(size)]
    if len(every) != len(values):
        raise ValueError(f"{len(values)} values of {list(shape)}")
    every[:] = values
    return spread.reshape(shape)


def _step(size: int) -> int:
    """Returns how far apart the kept ones of so many values lie: odd, so that each place of a row of 2^n has its turn."""
    return -(-size // MOST) | 1


def _halved(value: NDArray[np.float32]) -> NDArray[np.floating]:
    return value.astype(np.float16) if np.abs(value).max(initial=0) < np.finfo(np.float16).max else value
