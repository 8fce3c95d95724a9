"""COCO's run-length encoding of a binary mask, as pycocotools writes and reads it.

Runs are counted down the columns, alternately of 0 and 1 and beginning with 0. Each count from the third on is stored as
its difference to the count two before, in groups of five bits, least first, the sixth bit saying that more follow, each
group shifted by 48 into a printable character.
"""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import EdgesegError


class Rle(TypedDict):
    """A compressed COCO mask: `size` is [height, width] in pixels, `counts` the ASCII string."""

    size: list[int]
    counts: str


def encode(mask: NDArray[np.bool_]) -> Rle:
    """Encodes a mask, bool [H, W]."""
    return encode_cutout(mask, 0, 0, *mask.shape)


def encode_cutout(mask: NDArray[np.bool_], left: int, top: int, height: int, width: int) -> Rle:
    """Encodes a mask of height x width of which `mask`, bool [h, w], is the part from left, top on; the rest is false."""
    columns = np.zeros((mask.shape[1], height), dtype=bool)
    columns[:, top : top + mask.shape[0]] = mask.T
    # False before the first pixel and behind the last, so that each run of true has both its ends.
    flat = np.concatenate(([False], columns.ravel(), [False]))
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + left * height
    bounds = np.concatenate(([0], edges, [height * width]))
    counts = np.diff(bounds).tolist()
    if len(counts) > 1 and counts[-1] == 0:
        counts.pop()
    return {"size": [height, width], "counts": _pack(counts)}


def decode(rle: Rle) -> NDArray[np.bool_]:
    """Decodes to bool [H, W]. Raises EdgesegError where the counts do not fill the size."""
    height, width = rle["size"]
    counts = _unpack(rle["counts"])
    if sum(counts) != height * width or min(counts, default=0) < 0:
        raise EdgesegError(
            f"a run-length mask of {sum(counts)} pixels is said to be {height}x{width}: the annotation is damaged"
        )
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape((height, width), order="F")


def _pack(counts: list[int]) -> str:
    characters: list[str] = []
    for position, count in enumerate(counts):
        value = count - counts[position - 2] if position > 2 else count
        while True:
            group, value = value & 31, value >> 5
            # The sign lives in bit 4 of the last group, so a group may only be the last where the rest is that sign alone.
            last = value == (-1 if group & 16 else 0)
            characters.append(chr((group if last else group | 32) + 48))
            if last:
                break
    return "".join(characters)


def _unpack(text: str) -> list[int]:
    counts: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            if group & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    return counts
