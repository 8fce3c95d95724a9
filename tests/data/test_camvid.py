"""CamVid's reader gives what lies on disk, and names the file that is not sound."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.camvid import CamVid
from edgeseg.data.samples import open_samples


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two frames of 8x6: a blue sky (0) over a road (3), the last column unlabelled (11)."""
    for folder in ("train", "trainannot"):
        (tmp_path / folder).mkdir()
    image = np.full((6, 8, 3), (200, 20, 10), np.uint8)
    labels = np.full((6, 8), 3, np.uint8)
    labels[:3], labels[:, 7] = 0, 11
    for name in ("b", "a"):
        cv2.imwrite(str(tmp_path / "train" / f"{name}.png"), image)
        cv2.imwrite(str(tmp_path / "trainannot" / f"{name}.png"), labels)
    return tmp_path


def test_it_reads_images_and_labels_in_the_order_of_their_names(root: Path) -> None:
    samples = CamVid(root, "train")
    assert [samples[i][0] for i in range(len(samples))] == ["a", "b"]
    _, image, labels = samples[0]
    assert image.dtype == labels.dtype == np.uint8
    assert image[0, 0].tolist() == [200, 20, 10], "BGR"
    assert labels[0].tolist() == [0] * 7 + [255]
    assert labels[5].tolist() == [3] * 7 + [255]


def test_an_empty_split_names_the_folder(root: Path) -> None:
    with pytest.raises(EdgesegError, match=re.escape(str(root / "val"))):
        CamVid(root, "val")


def test_an_image_without_labels_is_found_at_opening(root: Path) -> None:
    (root / "trainannot" / "b.png").unlink()
    with pytest.raises(EdgesegError, match=r"b\.png: missing"):
        CamVid(root, "train")


def test_unsound_labels_name_their_file(root: Path) -> None:
    cv2.imwrite(str(root / "trainannot" / "a.png"), np.full((6, 8), 12, np.uint8))
    cv2.imwrite(str(root / "trainannot" / "b.png"), np.zeros((5, 8), np.uint8))
    samples = CamVid(root, "train")
    with pytest.raises(EdgesegError, match=r"a\.png: class id 12 at x=0, y=0; .* 0 to 11$"):
        samples[0]
    with pytest.raises(EdgesegError, match=r"b\.png: labels of 8x5 for an image of 8x6"):
        samples[1]


def test_its_address_opens_it(root: Path) -> None:
    assert len(open_samples(f"camvid:{root}", "train")) == 2


def test_drives_are_taken_by_name_and_splits_together(tmp_path: Path) -> None:
    for split, names in (("train", ("A_1", "A_2", "B_1")), ("val", ("C_1",))):
        for folder, channels in ((split, 3), (f"{split}annot", 1)):
            (tmp_path / folder).mkdir()
            for name in names:
                pixels = np.zeros((8, 8, channels), np.uint8).squeeze()
                cv2.imwrite(str(tmp_path / folder / f"{name}.png"), pixels)
    address = f"camvid:{tmp_path}"
    both = open_samples(f"{address},sequences=A+C", "train+val")
    assert [both[index][0] for index in range(len(both))] == ["A_1", "A_2", "C_1"]
    assert len(open_samples(address, "train+val")) == 4
    for split, names in (("val", ["A_1", "A_2"]), ("train", ["B_1", "C_1"])):
        part = open_samples(f"{address},hold-out=A", split)
        assert [part[index][0] for index in range(len(part))] == names
    with pytest.raises(UsageError, match="no sequence 'D'; known: A, B"):
        open_samples(f"{address},sequences=D", "train")
    with pytest.raises(UsageError, match=r"'sequence=A' in .* is not sequences=DRIVE"):
        open_samples(f"{address},sequence=A", "train")
