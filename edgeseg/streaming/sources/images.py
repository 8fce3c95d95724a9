"""Frames of a folder of images."""

from __future__ import annotations

import glob
import re
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import SourceError
from edgeseg.core.image_files import IMAGE_SUFFIXES
from edgeseg.core.result import Frame
from edgeseg.streaming.sources.base import BaseSource, damaged_frame


class ImagesSource(BaseSource):
    """Every image of a folder, or that a pattern (`frames/*.png`, `**` for folders in folders) finds, in natural
    order.

    Frame.source is the image's own path. Grey and 16-bit images become uint8 BGR, alpha is left out, and a photo is
    turned as its EXIF data says. An image that can't be read gives a frame with `damage`. Raises SourceError where
    there are no images.
    """

    def __init__(self, folder_or_pattern: str) -> None:
        self.address = folder_or_pattern
        folder = Path(folder_or_pattern)
        # A folder may have brackets in its name, so that it is asked for first.
        found = folder.iterdir() if folder.is_dir() else _found(folder_or_pattern)
        try:
            # Beside each file that a Mac copies lies a hidden one of its attributes, `._NAME.jpg`.
            shown = (path for path in found if not path.name.startswith("."))
            images = [path for path in shown if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()]
        except PermissionError as error:
            raise SourceError(f"{folder} may not be read by this user: check its permissions") from error
        if not images:
            kind = "the folder" if folder.is_dir() else "what fits"
            raise SourceError(
                f"no images in {kind} {folder_or_pattern}: looked for {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
        self._paths = sorted(images, key=_natural_key)
        self.frames = len(self._paths)
        self._closed = False

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self._paths):
            if self._closed:
                return
            begin = time.monotonic_ns()
            image = _read(path)
            took = time.monotonic_ns() - begin
            if image is None:
                yield damaged_frame(index, begin, str(path), f"not a readable image: {path.name}")
            else:
                yield Frame(image, index, begin, str(path), decode_ns=took)

    def close(self) -> None:
        self._closed = True


def _found(pattern: str) -> Iterator[Path]:
    # Path.glob takes no absolute patterns.
    return map(Path, glob.iglob(pattern, recursive=True))  # noqa: PTH207


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Numbers compare as numbers: frame2 stands before frame10."""
    pieces = re.split(r"([0-9]+)", str(path))
    return [(int(piece), piece) if piece.isdigit() else (-1, piece) for piece in pieces]


def _read(path: Path) -> NDArray[np.uint8] | None:
    """Returns uint8 [H, W, 3], BGR, or None where the file can't be read as an image."""
    try:
        # cv2.imread can't open every name on every system; bytes it always can.
        encoded = np.fromfile(path, np.uint8)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)
