"""CamVid (Brostow et al. 2009) in the layout of the SegNet split: 11 classes, images beside mode-L label PNGs.

ROOT/<split>/NAME.jpg|png      ROOT/<split>annot/NAME.png
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import EdgesegError
from edgeseg.data.classes import IGNORE_ID, STREET_CLASSES, STREET_PALETTE

UNLABELLED = len(STREET_CLASSES)


class CamVid:
    """One split, in the order of the file names. Every label is checked as it is read.

    `self[i]` is (name, image uint8 [H, W, 3] BGR, labels uint8 [H, W], with IGNORE_ID where unlabelled).
    Raises EdgesegError for an empty split, an image without labels, sizes that differ, an unknown class id.
    """

    classes = STREET_CLASSES
    palette = STREET_PALETTE
    terms = "CamVid: personal and research use, non-commercial"

    def __init__(self, root: Path, split: str) -> None:
        folder, self._labels = root / split, root / f"{split}annot"
        self._images = sorted(p for p in folder.glob("*") if p.suffix.lower() in {".jpg", ".png"})
        if not self._images:
            raise EdgesegError(f"{folder}: no .jpg or .png in it; CamVid's folder holds {split}/ and {split}annot/")
        for image in self._images:
            if not self._label_of(image).is_file():
                raise EdgesegError(f"{self._label_of(image)}: missing, the labels of {image.name}; unpack CamVid anew")

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[str, NDArray[np.uint8], NDArray[np.uint8]]:
        path = self._images[index]
        image = _read(path, cv2.IMREAD_COLOR)
        labels = _read(self._label_of(path), cv2.IMREAD_UNCHANGED)
        if labels.shape != image.shape[:2]:
            raise EdgesegError(
                f"{self._label_of(path)}: labels of shape {labels.shape} for an image of {image.shape[:2]}; "
                "they must be one channel of the image's size"
            )
        unknown = labels[labels > UNLABELLED]
        if unknown.size:
            raise EdgesegError(f"{self._label_of(path)}: class id {unknown[0]}, and CamVid's are 0 to {UNLABELLED}")
        labels[labels == UNLABELLED] = IGNORE_ID
        return path.stem, image, labels

    def _label_of(self, image: Path) -> Path:
        return self._labels / f"{image.stem}.png"


def _read(path: Path, flags: int) -> NDArray[np.uint8]:
    pixels = cv2.imread(str(path), flags)
    if pixels is None or pixels.dtype != np.uint8:
        raise EdgesegError(f"{path}: not an 8-bit image that can be decoded; fetch it anew")
    return np.asarray(pixels, dtype=np.uint8)
