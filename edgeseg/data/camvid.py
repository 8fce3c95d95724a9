"""CamVid (Brostow et al. 2009) in the layout of the SegNet split: 11 classes, images beside mode-L label PNGs.

ROOT/<split>/NAME.jpg|png      ROOT/<split>annot/NAME.png
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgeseg.core.classes import IGNORE_ID, STREET_CLASSES, STREET_PALETTE
from edgeseg.core.errors import EdgesegError, UsageError, did_you_mean
from edgeseg.data.files import id_table, images_in, read_image, read_labels
from edgeseg.data.protocol import Sample

UNLABELLED = len(STREET_CLASSES)


class CamVid:
    """One split, or several as "train+val", in the order of the file names.

    sequences: the drives to take, by the beginning of the file names ("0006R0"); empty = all. hold_out: drives of train and val
    together that "val" then means, and "train" all others. Frames of one drive are near duplicates: a model is judged honestly
    on drives that it never saw.
    Raises UsageError for a sequence that the splits do not have; EdgesegError for an empty split and an image without labels at
    opening, for files that are not sound at reading.
    """

    classes = STREET_CLASSES
    palette = STREET_PALETTE
    terms = "CamVid: personal and research use, non-commercial"

    def __init__(self, root: Path, split: str, sequences: Sequence[str] = (), hold_out: Sequence[str] = ()) -> None:
        if hold_out and split not in ("train", "val"):
            raise UsageError(f"{root}: no split {split!r} where a drive is held out: give train or val")
        parts = ("train", "val") if hold_out else split.split("+")
        self._images = [image for part in parts for image in _images_of(root, part)]
        sequences = sequences or hold_out
        if sequences:
            known = sorted({_sequence_of(image) for image in self._images})
            for name in sequences:
                if name not in known:
                    raise UsageError(f"{root}, {split}: no sequence {name!r}; {did_you_mean(name, known)}")
            wanted = not hold_out or split == "val"
            self._images = [image for image in self._images if (_sequence_of(image) in sequences) == wanted]
        for image in self._images:
            if not _label_of(image).is_file():
                raise EdgesegError(f"{_label_of(image)}: missing, the labels of {image.name}; unpack CamVid anew")
        self._table = id_table({**{i: i for i in range(UNLABELLED)}, UNLABELLED: IGNORE_ID})

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        path = self._images[index]
        image = read_image(path)
        return path.stem, image, read_labels(_label_of(path), image, self._table)


def _images_of(root: Path, split: str) -> list[Path]:
    images = images_in(root / split)
    if not images:
        raise EdgesegError(f"{root / split}: no images in it; CamVid's folder holds {split}/ and {split}annot/")
    return images


def _label_of(image: Path) -> Path:
    return image.parent.with_name(f"{image.parent.name}annot") / f"{image.stem}.png"


def _sequence_of(image: Path) -> str:
    return image.name.partition("_")[0]
