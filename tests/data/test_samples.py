"""An address opens the data set that it names, or says in one line why not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.samples import open_samples


def test_the_street_gives_frames_with_labels() -> None:
    samples = open_samples("street:frames=2,seed=5", "train")
    assert len(samples) == 2
    name, image, labels = samples[1]
    assert name.startswith("street-5-")
    assert image.shape == (720, 1280, 3)
    assert labels.shape == (720, 1280)
    assert labels.dtype == np.uint8
    assert labels.max() < len(samples.classes)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("camvid", "KIND:WHERE"),
        ("camvit:x", "did you mean camvid"),
        ("street:frames=two", "whole numbers"),
        ("street:seed=1", "whole numbers"),
        ("street:frames=2,sed=1", "whole numbers"),
        ("street:frames=0", "ask for 1 or more"),
        ("coco:.,class=person", r"'class=person' in .* is not classes=NAME\+NAME"),
        ("coco:.,classes=", "is not classes="),
    ],
)
def test_an_address_that_can_not_be_read_is_wrong_usage(address: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_samples(address, "train")


@pytest.mark.parametrize("kind", ["camvid", "cityscapes", "coco", "folder"])
def test_every_kind_names_the_folder_that_is_not_there(kind: str, tmp_path: Path) -> None:
    with pytest.raises(EdgesegError, match=re.escape(f"{tmp_path / 'none'}: no such folder")):
        open_samples(f"{kind}:{tmp_path / 'none'}", "train")


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("camvid", "train: no images"),
        ("cityscapes", "train: no CITY"),
        ("coco", "json: missing"),
        ("folder", "classes.txt"),
    ],
)
def test_every_kind_says_what_its_folder_should_hold(kind: str, missing: str, tmp_path: Path) -> None:
    with pytest.raises(EdgesegError, match=re.escape(missing)):
        open_samples(f"{kind}:{tmp_path}", "train")
