"""Data sets by name."""

from __future__ import annotations

import pytest

from edgeseg.core.provenance import split_of, trained_on, unplaced


@pytest.mark.parametrize(
    ("address", "divided", "name"),
    [
        ("camvid:/a/b@test", ("camvid:/a/b", "test"), "camvid:b@test"),
        ("camvid:/a@home/b", ("camvid:/a@home/b", ""), "camvid:b"),
        ("camvid:/a@home/b@test", ("camvid:/a@home/b", "test"), "camvid:b@test"),
        ("", ("", ""), ""),
    ],
)
def test_addresses(address: str, divided: tuple[str, str], name: str) -> None:
    assert split_of(address) == divided
    assert unplaced(address) == name


@pytest.mark.parametrize(
    ("address", "split", "seen"),
    [
        ("camvid:/elsewhere/camvid", "train", True),
        ("camvid:camvid", "val", True),
        ("camvid:camvid", "test", False),
        ("camvid:other", "train", False),
        ("cityscapes:camvid", "train", False),
        ("street:frames=9,seed=2", "val", True),
        ("street:frames=9,seed=1", "val", False),
    ],
)
def test_a_model_is_known_to_have_seen_the_very_images_that_it_was_trained_on(
    address: str, split: str, seen: bool
) -> None:
    training = {"data": ["camvid:camvid", "camvid:camvid@val", "street:frames=9,seed=2"]}
    assert trained_on(training, address, split) is seen


def test_a_model_that_says_nothing_of_its_training_is_not_suspected() -> None:
    assert not trained_on({}, "camvid:camvid", "train")


@pytest.mark.parametrize(
    ("trained", "address", "split", "seen"),
    [
        ("camvid:c,sequences=A+B@train+val", "camvid:c", "val", True),
        ("camvid:c,sequences=A+B@train+val", "camvid:c", "test", False),
        ("camvid:c,sequences=A+B@train+val", "camvid:c,sequences=C", "train+val", False),
        ("camvid:c,sequences=A+B@train+val", "camvid:c,hold-out=C", "val", False),
        ("camvid:c,sequences=A+B@train+val", "camvid:c,hold-out=A", "val", True),
        ("camvid:c,sequences=A+B@train+val", "camvid:c,hold-out=C", "train", True),
        ("camvid:c,hold-out=C", "camvid:c,hold-out=C", "val", False),
        ("camvid:c,hold-out=C", "camvid:c,hold-out=A", "val", True),
        ("camvid:c,hold-out=C", "camvid:c", "val", True),
        ("camvid:c,hold-out=C", "camvid:c,hold-out=A", "train", True),
        ("camvid:c@train+val", "camvid:c", "val", True),
        ("coco:p,fold=1/5", "coco:p,fold=1/5", "val", False),
        ("coco:p,fold=1/5", "coco:p,fold=2/5", "val", True),
        ("coco:p,fold=1/5", "coco:p", "val", True),
        ("street:frames=90,seed=2000", "street:frames=9,seed=2004", "val", True),
        ("street:frames=90,seed=2000", "street:frames=9,seed=2005", "val", False),
        ("street:frames=90,seed=2000", "street:frames=90,seed=1996", "val", True),
    ],
)
def test_parts_of_a_data_set_are_unseen_only_where_they_can_not_meet(
    trained: str, address: str, split: str, seen: bool
) -> None:
    assert trained_on({"data": [trained]}, address, split) is seen
