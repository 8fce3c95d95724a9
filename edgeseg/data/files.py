"""Reading image and label files, checked as they are read: an unsound one is an error that names it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.core.errors import EdgesegError
from edgeseg.core.image_files import IMAGE_SUFFIXES

UNKNOWN = -1


def images_in(folder: Path) -> list[Path]:
    """Returns the image files of a folder, in the order of their names; none where there is no such folder.

    What is hidden is none: beside each file that a Mac copies lies one of its attributes, `._NAME.jpg`.
    """
    return sorted(
        path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def read_lines(path: Path, advice: str) -> list[str]:
    """Returns the lines of a text file without the white space around them and without the empty ones at the end.

    advice: what to write into it, for the EdgesegError that a missing file and one that is no UTF-8 text raise.
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except FileNotFoundError as error:
        raise EdgesegError(f"{path}: missing; {advice}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise EdgesegError(f"{path}: can't be read as UTF-8 text; {advice}") from error


def read_image(path: Path) -> NDArray[np.uint8]:
    """Returns uint8 [H, W, 3] BGR. Raises EdgesegError for a file that is no image."""
    try:
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than OpenCV agrees to decode
        pixels = None
    if pixels is None:
        raise EdgesegError(f"{path}: not an image that can be decoded; fetch it anew")
    return np.asarray(pixels, np.uint8)


def id_table(class_of: Mapping[int, int]) -> NDArray[np.int16]:
    """Returns [256] from the id in a label file to the class id, UNKNOWN where `class_of` says nothing."""
    table = np.full(256, UNKNOWN, np.int16)
    for file_id, class_id in class_of.items():
        table[file_id] = class_id
    return table


def read_labels(path: Path, image: NDArray[np.uint8], table: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Returns the class ids, uint8 [H, W], of an 8-bit PNG of one channel (grey, or indices into a colour table).

    image: what the labels belong to; they must have its size. table: of `id_table`.
    Raises EdgesegError that names the file: not readable, another size, an id that the table does not know.
    """
    ids = _indices(path)
    if ids.shape != image.shape[:2]:
        raise EdgesegError(
            f"{path}: labels of {ids.shape[1]}x{ids.shape[0]} for an image of {image.shape[1]}x{image.shape[0]} pixels; "
            "they must be of one size"
        )
    classes = table[ids]
    unknown = classes == UNKNOWN
    if unknown.any():
        y, x = np.argwhere(unknown)[0]
        known = ", ".join(_ranges(np.flatnonzero(table != UNKNOWN).tolist()))
        raise EdgesegError(f"{path}: class id {ids[y, x]} at x={x}, y={y}; the ids of this data set are {known}")
    return classes.astype(np.uint8)


def _indices(path: Path) -> NDArray[np.uint8]:
    # OpenCV would turn the indices of a PNG with a colour table into colours.
    try:
        with Image.open(path) as file:
            if file.mode not in {"L", "P"}:
                raise EdgesegError(f"{path}: pixels of kind {file.mode!r}; labels are 8-bit PNGs of one channel")
            return np.array(file, np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise EdgesegError(f"{path}: not an image that can be decoded; fetch it anew") from error


def _ranges(numbers: list[int]) -> list[str]:
    """[0, 1, 2, 255] -> ["0 to 2", "255"]."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return [str(low) if low == high else f"{low} to {high}" for low, high in zip(starts, ends, strict=True)]
