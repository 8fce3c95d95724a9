"""Images with a mask for each thing in them, by address, `KIND:WHERE`: what instance models learn from and are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError, did_you_mean


@dataclass(frozen=True, eq=False)
class Instances:
    """The N things of an image, N >= 0, each with a pixel or more.

    masks: bool [N, H, W]. labels: int64 [N], class ids from 0, without background.
    crowd: bool [N], true where a mask is a region that is not judged, be it many things, or one too small to ask for.
    """

    masks: NDArray[np.bool_]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """float32 [N, 4], x0 y0 x1 y1 in pixels around each mask: x1 and y1 are the first column and row beyond it."""
        return mask_boxes(self.masks)


InstanceSample = tuple[str, NDArray[np.uint8], Instances]
"""name, image uint8 [H, W, 3] BGR, its things."""


class InstanceSamples(Protocol):
    """A split of a data set, read on demand; images without a thing are among them.

    classes, palette (RGB): by id. terms: under which terms its images may be used.
    labelled: those of the classes that are labelled here. partial: whether they are not all, so that what has no mask
    may still be a thing.
    """

    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    terms: str
    labelled: tuple[str, ...]
    partial: bool

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> InstanceSample: ...


def mask_boxes(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Returns float32 [N, 4], x0 y0 x1 y1 in pixels around each of `masks`, bool [N, H, W]; zeros for an empty one."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
        if len(columns):
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


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
