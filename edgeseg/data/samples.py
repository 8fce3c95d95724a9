"""Labelled images by address, `KIND:WHERE`: what training and measuring read, whatever data set it came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError, did_you_mean
from edgeseg.data.camvid import CamVid
from edgeseg.data.classes import STREET_CLASSES, STREET_PALETTE
from edgeseg.data.street import Street

Sample = tuple[str, NDArray[np.uint8], NDArray[np.uint8]]
"""name, image uint8 [H, W, 3] BGR, labels uint8 [H, W] with 255 where nothing is judged."""


class Samples(Protocol):
    """A split of a data set, read on demand.

    classes, palette (RGB): by id. terms: under which terms its images may be used.
    """

    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    terms: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class StreetSamples:
    """Frames of the rendered street: from several seeds, far apart in each, in three usual frame sizes.

    frames: how many. seed: the first of the seeds; after every `FRAMES_A_SEED` frames comes the next.
    """

    FRAMES_A_SEED = 18
    SPACING = 331
    SIZES = ((1280, 720), (960, 540), (640, 360))

    classes = STREET_CLASSES
    palette = STREET_PALETTE
    terms = "street: rendered by edgeseg, no restriction"

    def __init__(self, frames: int, seed: int) -> None:
        self._frames = frames
        self._first = seed
        self._drive: Street | None = None

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < self._frames:
            raise IndexError(index)
        turn, position = divmod(index, self.FRAMES_A_SEED)
        drive = self._drive_of(self._first + turn, self.SIZES[turn % len(self.SIZES)])
        view = drive.render(position * self.SPACING)
        return f"street-{drive.seed}-{position * self.SPACING:05d}", view.image, view.labels

    def _drive_of(self, seed: int, size: tuple[int, int]) -> Street:
        # Building a street takes longer than rendering a frame of it.
        if self._drive is None or self._drive.seed != seed:
            self._drive = Street(seed, *size)
        return self._drive


def open_samples(address: str, split: str) -> Samples:
    """Opens `camvid:DIR` or `street:frames=N,seed=S`. split: "train" or "val"; the street's is its seed.

    Raises UsageError for an address that can't be read, EdgesegError for a data set that is not sound.
    """
    kind, _, where = address.partition(":")
    kinds: dict[str, Callable[[], Samples]] = {
        "camvid": lambda: CamVid(Path(where), split),
        "street": lambda: _street(address, where),
    }
    if kind not in kinds or not where:
        raise UsageError(f"{address!r} names no data, which is KIND:WHERE; {did_you_mean(kind, kinds)}")
    return kinds[kind]()


def _street(address: str, where: str) -> StreetSamples:
    parts = (part.partition("=") for part in where.split(","))
    try:
        numbers = {name: int(value) for name, _, value in parts}
        return StreetSamples(**{"seed": 1000, **numbers})
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{address!r} is not street:frames=N,seed=S with whole numbers") from error
