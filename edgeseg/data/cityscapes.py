"""Cityscapes (Cordts et al. 2016), fine annotations, judged on the 19 classes of its benchmark.

ROOT/leftImg8bit/<split>/<city>/NAME_leftImg8bit.png
ROOT/gtFine/<split>/<city>/NAME_gtFine_labelIds.png      or, where that is missing, NAME_gtFine_labelTrainIds.png
"""

from __future__ import annotations

from pathlib import Path

from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import EdgesegError
from edgeseg.data.files import id_table, read_image, read_labels
from edgeseg.data.protocol import Sample

CLASSES: tuple[tuple[int, str, tuple[int, int, int]], ...] = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
"""Id in labelIds.png, name and official RGB, in the order of the train ids 0 to 18."""

LABEL_IDS = 34
IMAGE_ENDING = "_leftImg8bit.png"
FULL_ENDING = "_gtFine_labelIds.png"
TRAIN_ENDING = "_gtFine_labelTrainIds.png"


class Cityscapes:
    """One split, in the order of the file names; IGNORE_ID wherever the benchmark does not judge.

    Raises EdgesegError for an empty split and an image without labels at opening, for files that are not sound at reading.
    """

    classes: tuple[str, ...] = tuple(name for _, name, _ in CLASSES)
    palette: tuple[tuple[int, int, int], ...] = tuple(colour for _, _, colour in CLASSES)
    terms = "Cityscapes: non-commercial use, by its own licence agreement"

    def __init__(self, root: Path, split: str) -> None:
        folder, labels = root / "leftImg8bit" / split, root / "gtFine" / split
        images = sorted(folder.glob(f"*/*{IMAGE_ENDING}"))
        if not images:
            raise EdgesegError(
                f"{folder}: no CITY/*{IMAGE_ENDING} in it; Cityscapes' folder holds leftImg8bit/ and gtFine/"
            )
        self._files = [(image, _labels_of(image, labels / image.parent.name)) for image in images]
        train_ids = {train_id: train_id for train_id in range(len(CLASSES))}
        full_ids = {CLASSES[train_id][0]: train_id for train_id in train_ids}
        unjudged = dict.fromkeys([*range(LABEL_IDS), IGNORE_ID], IGNORE_ID)
        self._full_table = id_table({**unjudged, **full_ids})
        self._train_table = id_table({**train_ids, IGNORE_ID: IGNORE_ID})

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        path, labels = self._files[index]
        image = read_image(path)
        table = self._full_table if labels.name.endswith(FULL_ENDING) else self._train_table
        return path.name.removesuffix(IMAGE_ENDING), image, read_labels(labels, image, table)


def _labels_of(image: Path, folder: Path) -> Path:
    name = image.name.removesuffix(IMAGE_ENDING)
    full, train = folder / f"{name}{FULL_ENDING}", folder / f"{name}{TRAIN_ENDING}"
    if full.is_file():
        return full
    if train.is_file():
        return train
    raise EdgesegError(
        f"{full}: missing, the labels of {image.name}; unpack gtFine_trainvaltest.zip beside leftImg8bit"
    )
