"""CamVid (Brostow et al. 2009) in the layout of the SegNet split: 11 classes, images beside mode-L label PNGs.

ROOT/<split>/NAME.jpg|png      ROOT/<split>annot/NAME.png
"""

from __future__ import annotations

from pathlib import Path

from edgeseg.core.classes import IGNORE_ID, STREET_CLASSES, STREET_PALETTE
from edgeseg.core.errors import EdgesegError
from edgeseg.data.files import id_table, images_in, read_image, read_labels
from edgeseg.data.protocol import Sample

UNLABELLED = len(STREET_CLASSES)


class CamVid:
    """One split, in the order of the file names.

    Raises EdgesegError for an empty split and an image without labels at opening, for files that are not sound at reading.
    """

    classes = STREET_CLASSES
    palette = STREET_PALETTE
    terms = "CamVid: personal and research use, non-commercial"

    def __init__(self, root: Path, split: str) -> None:
        folder, self._labels = root / split, root / f"{split}annot"
        self._images = images_in(folder)
        if not self._images:
            raise EdgesegError(f"{folder}: no images in it; CamVid's folder holds {split}/ and {split}annot/")
        for image in self._images:
            if not self._label_of(image).is_file():
                raise EdgesegError(f"{self._label_of(image)}: missing, the labels of {image.name}; unpack CamVid anew")
        self._table = id_table({**{i: i for i in range(UNLABELLED)}, UNLABELLED: IGNORE_ID})

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        path = self._images[index]
        image = read_image(path)
        return path.stem, image, read_labels(self._label_of(path), image, self._table)

    def _label_of(self, image: Path) -> Path:
        return self._labels / f"{image.stem}.png"
