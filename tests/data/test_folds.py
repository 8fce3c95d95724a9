"""Folds hold out every image once, and the crowded ones in equal parts; a facade teaches six classes alone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.core.classes import IGNORE_ID, STREET_CLASSES
from edgeseg.core.errors import UsageError
from edgeseg.data.folds import Fold, in_split, parse_fold
from edgeseg.data.samples import open_samples


def test_every_image_is_held_out_once_and_crowds_in_equal_parts() -> None:
    names, things = [f"{i}.jpg" for i in range(100)], [i % 5 for i in range(100)]
    held = [in_split(names, things, Fold(k, 5), "val") for k in range(1, 6)]
    assert np.sum(held, axis=0).tolist() == [1] * 100
    for part in held:
        assert [sum(keep and many == n for keep, many in zip(part, things, strict=True)) for n in range(5)] == [4] * 5
    for k, part in enumerate(held, 1):
        assert in_split(names, things, Fold(k, 5), "train") == [not keep for keep in part]


def test_a_fold_follows_from_names_and_not_from_their_order() -> None:
    names = [f"{i}.jpg" for i in range(20)]
    there = dict(zip(names, in_split(names, [1] * 20, Fold(2, 4), "val"), strict=True))
    back = dict(zip(names[::-1], in_split(names[::-1], [1] * 20, Fold(2, 4), "val"), strict=True))
    assert there == back


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/1", "1", "a/5", "-1/5", ""])
def test_what_is_no_fold_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not K/N"):
        parse_fold(text)
    with pytest.raises(UsageError, match="no split 'test' of a fold"):
        in_split(["a"], [1], Fold(1, 2), "test")


def test_a_facade_teaches_six_classes_alone(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "trainannot").mkdir()
    cv2.imwrite(str(tmp_path / "train" / "a.png"), np.zeros((2, 12, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "trainannot" / "a.png"), np.arange(12, dtype=np.uint8)[None].repeat(2, 0))
    facade = open_samples(f"facade:{tmp_path}", "train")
    taught = {STREET_CLASSES[i] for i in np.unique(facade[0][2]) if i != IGNORE_ID}
    assert taught == {"sky", "building", "road", "pavement", "tree", "car"}
    assert facade[0][2][0, 11] == IGNORE_ID
    assert "non-commercial" in facade.terms
