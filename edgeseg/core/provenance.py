"""Data sets by name: which one an address means, and whether a model has trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

FRAMES_A_SEED = 18
"""Frames of a rendered street that are taken of one seed, before the next."""


def unplaced(address: str) -> str:
    """Returns a data set's address without the folders above it: "camvid:/data/CamVid@val" -> "camvid:CamVid@val"."""
    kind, colon, where = address.partition(":")
    if kind == "street" or not colon:
        return address
    folder, split = split_of(where)
    folder, *options = folder.split(",") if kind in ("camvid", "coco") else [folder]
    name = ",".join([Path(folder).expanduser().resolve().name, *options])
    return f"{kind}:{name}@{split}" if split else f"{kind}:{name}"


def split_of(address: str) -> tuple[str, str]:
    """Divides an address at its `@SPLIT`, "" where it has none; an @ in a folder's name is none."""
    where, at, split = address.rpartition("@")
    return (where, split) if at and "/" not in split else (address, "")


def trained_on(training: Mapping[str, Any], address: str, split: str) -> bool:
    """Returns whether a model may have seen some of these images, so that a figure over them says nothing about unseen ones.

    training: what a bundle says of its training: in "data" KIND:NAME or KIND:NAME@SPLIT, without a split: train. address,
    split: what is to be judged on; a folder counts by its own name, not by where it lies. Parts of one data set are unseen
    only if their splits, drives (`sequences=`, `hold-out=`), folds or seeds can't meet. What the weights were trained on that
    this training began from is not known here.
    """
    judged = _part_of(address, split)
    return any(_may_meet(judged, _part_of(*_divided(str(entry)))) for entry in training.get("data", ()))


def _divided(entry: str) -> tuple[str, str]:
    address, split = split_of(entry)
    return address, split or "train"


class _Part(NamedTuple):
    """Some images of a data set. drives: those meant, or all but those where `all_but`; None = all."""

    name: str
    splits: frozenset[str]
    drives: frozenset[str] | None
    all_but: bool
    fold: str
    seeds: range


def _part_of(address: str, split: str) -> _Part:
    kind, _, where = unplaced(address).partition(":")
    folder, *given = where.split(",") if kind != "street" else ["", *where.split(",")]
    pairs = (option.partition("=") for option in given)
    options = {name: value for name, _, value in pairs}
    splits = frozenset(split.split("+"))
    drives: frozenset[str] | None = None
    all_but = False
    if "sequences" in options:
        drives = frozenset(options["sequences"].split("+"))
    elif "hold-out" in options:
        drives, all_but, splits = (
            frozenset(options["hold-out"].split("+")),
            split == "train",
            frozenset(("train", "val")),
        )
    return _Part(f"{kind}:{folder}", splits, drives, all_but, options.get("fold", ""), _seeds(options))


def _seeds(options: Mapping[str, str]) -> range:
    """Of a rendered street, the seeds that its frames are of, FRAMES_A_SEED each."""
    frames, seed = options.get("frames", ""), options.get("seed", "1000")
    if not (frames.isdecimal() and seed.isdecimal()):
        return range(0)
    return range(int(seed), int(seed) + -(-int(frames) // FRAMES_A_SEED))


def _may_meet(one: _Part, other: _Part) -> bool:
    if one.name != other.name:
        return False
    if one.name == "street:":
        return max(one.seeds.start, other.seeds.start) < min(one.seeds.stop, other.seeds.stop)
    if one.fold and one.fold == other.fold:
        return one.splits == other.splits
    return (one.fold != "" or other.fold != "" or bool(one.splits & other.splits)) and _drives_meet(one, other)


def _drives_meet(one: _Part, other: _Part) -> bool:
    if one.drives is None or other.drives is None or (one.all_but and other.all_but):
        return True
    if not one.all_but and not other.all_but:
        return bool(one.drives & other.drives)
    some, but = (other, one) if one.all_but else (one, other)
    assert some.drives is not None
    assert but.drives is not None
    return not some.drives <= but.drives
