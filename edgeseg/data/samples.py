"""Labelled images by address, `KIND:WHERE`: what training and measuring read, whatever data set it came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgeseg.core.errors import EdgesegError, UsageError, did_you_mean
from edgeseg.data.protocol import Sample, Samples

__all__ = ["Sample", "Samples", "open_samples"]


def open_samples(address: str, split: str) -> Samples:
    """Opens one split of a data set.

    address: `camvid:DIR[,sequences=A+B|,hold-out=A]`, `cityscapes:DIR`, `coco:DIR[,classes=person+car][,fold=1/5]`, `facade:DIR`,
    `folder:DIR` or
    `street:frames=N,seed=S`.
    split: "train", "val", or what else the data set has; the street's is its seed.
    Raises UsageError for an address that can't be read, EdgesegError for a data set that is not sound.
    """
    kinds: dict[str, Callable[[str, str], Samples]] = {
        "camvid": _camvid,
        "cityscapes": _cityscapes,
        "coco": _coco,
        "facade": _facade,
        "folder": _label_folder,
        "street": _street,
    }
    kind, _, where = address.partition(":")
    if kind not in kinds or not where:
        raise UsageError(f"{address!r} names no data, which is KIND:WHERE; {did_you_mean(kind, kinds)}")
    return kinds[kind](where, split)


def _camvid(where: str, split: str) -> Samples:
    from edgeseg.data.camvid import CamVid

    known = {"sequences": "DRIVE+DRIVE, to take those alone", "hold-out": "DRIVE+DRIVE, which the split val then means"}
    folder, options = _options("camvid", where, known)
    sequences, hold_out = (options[name].split("+") if name in options else () for name in known)
    if sequences and hold_out:
        raise UsageError(f"'camvid:{where}' has sequences= and hold-out=: give one of them")
    return CamVid(_folder(folder), split, sequences, hold_out)


def _cityscapes(where: str, split: str) -> Samples:
    from edgeseg.data.cityscapes import Cityscapes

    return Cityscapes(_folder(where), split)


def _coco(where: str, split: str) -> Samples:
    from edgeseg.data.coco import Coco
    from edgeseg.data.folds import parse_fold

    known = {"classes": "NAME+NAME, COCO's categories to tell apart", "fold": "K/N, to hold out one part of N"}
    folder, options = _options("coco", where, known)
    categories = options.get("classes", "person").split("+")
    return Coco(_folder(folder), split, categories, parse_fold(options["fold"]) if "fold" in options else None)


def _facade(where: str, split: str) -> Samples:
    from edgeseg.data.facade import Facade

    return Facade(_folder(where), split)


def _label_folder(where: str, split: str) -> Samples:
    from edgeseg.data.folder import LabelFolder

    return LabelFolder(_folder(where), split)


def _street(where: str, split: str) -> Samples:
    from edgeseg.data.street_samples import StreetSamples

    parts = (part.partition("=") for part in where.split(","))
    try:
        numbers = {name: int(value) for name, _, value in parts}
        return StreetSamples(**{"seed": 1000, **numbers})
    except (TypeError, ValueError) as error:
        raise UsageError(f"'street:{where}' is not street:frames=N,seed=S with whole numbers") from error


def _options(kind: str, where: str, known: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Divides FOLDER[,name=value]... known: the names, and what each is, for the UsageError that another one raises."""
    folder, *given = where.split(",")
    options: dict[str, str] = {}
    for option in given:
        name, _, value = option.partition("=")
        if name not in known or not value:
            choices = " or ".join(f"{one}={what}" for one, what in known.items())
            raise UsageError(f"{option!r} in '{kind}:{where}' is not {choices}")
        options[name] = value
    return folder, options


def _folder(where: str) -> Path:
    folder = Path(where).expanduser()
    if not folder.is_dir():
        raise EdgesegError(f"{folder}: no such folder; give the one that the data set was unpacked into")
    return folder
