"""The frames on which two engines are compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.samples import Samples, open_samples
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.source import Source
from edgeseg.synthetic import Street

Named = tuple[str, NDArray[np.uint8]]
"""A frame's name, and its image, uint8 [H, W, 3] BGR."""

DATA_SETS = ("camvid", "cityscapes", "coco", "folder", "street")
SEED, SPACING, SIZE = 1, 331, (1280, 720)
"""Of the rendered street; frames so far apart show other houses and other traffic."""


def frames_of(data: str | None, split: str, most: int) -> Iterator[Named]:
    """Opens what `data` means and returns an iterator over at most `most` frames of it.

    data: KIND:WHERE, a data set, from all over its `split`; or a source of `edgeseg run`, its first frames, damaged ones left
    out; or None, the rendered street. Raises UsageError or EdgesegError for what can't be read or has no frame.
    """
    if most < 1:
        raise UsageError(f"--frames {most}: give 1 or more")
    if data is None:
        return _street(most)
    kind, colon, where = data.partition(":")
    if colon and kind in DATA_SETS and not where.startswith("//"):
        samples = open_samples(data, split)
        if not len(samples):
            raise EdgesegError(f"{data} has no image in its split {split}: name another --split or --data")
        return _samples(samples, most)
    return _source(open_source(data), most)


def _street(most: int) -> Iterator[Named]:
    drive = Street(SEED, *SIZE)
    for index in range(0, most * SPACING, SPACING):
        yield f"street-{SEED}-{index:05d}", drive.render(index).image


def _samples(samples: Samples, most: int) -> Iterator[Named]:
    for index in np.unique(np.linspace(0, len(samples) - 1, most).round().astype(int)):
        name, image, _ = samples[int(index)]
        yield name, image


def _source(source: Source, most: int) -> Iterator[Named]:
    with source:
        sound = (frame for frame in source if not frame.damage)
        for frame in itertools.islice(sound, most):
            yield f"{Path(frame.source).name}, frame {frame.index}", frame.image
