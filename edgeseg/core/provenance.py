"""Data sets by name: which one an address means, and whether a model has trained on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
    """Returns whether a model has seen these very images, so that a figure over them says nothing about unseen ones.

    training: what a bundle says of its training: in "data" KIND:NAME or KIND:NAME@SPLIT, without a split: train. address,
    split: what is to be judged on; a folder counts by its own name, not by where it lies. Streets have no splits: their
    seeds tell them apart. What the weights were trained on that this training began from is not known here.
    """
    return _named(address, split) in {_named(*_divided(str(entry))) for entry in training.get("data", ())}


def _divided(entry: str) -> tuple[str, str]:
    address, split = split_of(entry)
    return address, split or "train"


def _named(address: str, split: str) -> tuple[str, str]:
    return unplaced(address), "" if address.startswith("street:") else split
