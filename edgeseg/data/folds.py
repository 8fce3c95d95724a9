"""Parts of a data set to hold out in turn (cross-validation), with as many crowded images in each as in the others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from edgeseg.core.errors import UsageError


@dataclass(frozen=True)
class Fold:
    """Part `number` of `count`, from 1: the split "val" is that part, "train" all others."""

    number: int
    count: int


def parse_fold(text: str) -> Fold:
    """Returns the fold that "K/N" names. Raises UsageError."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) and int(count) >= 2):
        raise UsageError(f"fold={text!r} is not K/N with 1 <= K <= N and N >= 2")
    return Fold(int(number), int(count))


def in_split(names: Sequence[str], things: Sequence[int], fold: Fold, split: str) -> list[bool]:
    """Returns, of each image, whether it belongs to the split, "train" or "val", of a fold.

    names: of the images, each once; the parts follow from them alone, whatever their order. things: how many each holds, by
    which the parts are stratified. Raises UsageError for another split.
    """
    if split not in ("train", "val"):
        raise UsageError(f"no split {split!r} of a fold: give train or val")
    order = sorted(range(len(names)), key=lambda i: (min(things[i], 4), hashlib.sha256(names[i].encode()).digest()))
    held_out = set(order[fold.number - 1 :: fold.count])
    return [(index in held_out) == (split == "val") for index in range(len(names))]
