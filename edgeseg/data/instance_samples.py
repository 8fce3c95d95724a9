"""Images with a mask for each thing in them, by address, `KIND:WHERE`, whatever data set they came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgeseg.core.errors import UsageError, did_you_mean
from edgeseg.data.instances import InstanceSamples


def open_instances(address: str, split: str) -> InstanceSamples:
    """Opens one split of a data set.

    address: `coco:DIR[,classes=person+car][,labelled=person]` or `street:frames=N,seed=S`. classes: COCO's categories
    to tell apart. labelled: those of them that this data set has labelled, all unless said.
    split: "train", "val", or what else the data set has; the street's is its seed.
    Raises UsageError for an address that can't be read, EdgesegError for a data set that is not sound.
    """
    kinds: dict[str, Callable[[str, str], InstanceSamples]] = {"coco": _coco, "street": _street}
    kind, _, where = address.partition(":")
    if kind not in kinds or not where:
        raise UsageError(f"{address!r} names no data with instances: KIND:WHERE; {did_you_mean(kind, kinds)}")
    return kinds[kind](where, split)


def _coco(where: str, split: str) -> InstanceSamples:
    from edgeseg.data.coco_instances import CocoInstances

    folder, *options = where.split(",")
    chosen: dict[str, list[str]] = {"classes": ["person"]}
    for option in options:
        name, _, value = option.partition("=")
        if name not in ("classes", "labelled") or not value:
            raise UsageError(f"{option!r} in 'coco:{where}' is neither classes=NAME+NAME nor labelled=NAME+NAME")
        chosen[name] = value.split("+")
    return CocoInstances(Path(folder).expanduser(), split, chosen["classes"], chosen.get("labelled"))


def _street(where: str, split: str) -> InstanceSamples:
    from edgeseg.data.street_instances import StreetInstances

    parts = (part.partition("=") for part in where.split(","))
    try:
        numbers = {name: int(value) for name, _, value in parts}
        return StreetInstances(**{"seed": 1000, **numbers})
    except (TypeError, ValueError) as error:
        raise UsageError(f"'street:{where}' is not street:frames=N,seed=S with whole numbers") from error
