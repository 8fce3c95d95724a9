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
