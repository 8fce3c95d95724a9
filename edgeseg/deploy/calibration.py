"""Which labelled images a bundle is calibrated with, which it is judged by, and that these are not the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.core.provenance import unplaced
from edgeseg.data.instance_samples import open_instances
from edgeseg.data.samples import open_samples
from edgeseg.vision.fit import stretch

FEWEST = 32
"""Images; below that, ranges are chance."""

ALIKE = 3.0
"""Grey levels. Images whose thumbnails differ by less from their mean show one and the same view."""

THUMBNAIL = 16
TRIAL = 32
"""Images on which the ways to choose ranges are compared."""


class Part:
    """Some images of a data set, in order: `Samples` or `InstanceSamples`, as the whole is."""

    def __init__(self, whole: Any, indices: Sequence[int]) -> None:
        self._whole, self._indices = whole, list(indices)
        self.classes, self.palette, self.terms = whole.classes, whole.palette, whole.terms
        self.labelled: tuple[str, ...] = getattr(whole, "labelled", whole.classes)
        self.partial: bool = getattr(whole, "partial", False)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Any:
        return self._whole[self._indices[index]]


@dataclass(frozen=True)
class Chosen:
    """The parts of a labelled data set.

    calibration: gives the ranges. trial: compares the ways to choose them. judged: the gate's, no image of which is in the other
    two. address: the data set, without where it lies on this machine. how: how they were chosen, in words.
    split: of the judged images.
    """

    calibration: Part
    trial: Part
    judged: Part
    address: str
    split: str
    how: str
    warnings: tuple[str, ...]


def choose_images(
    bundle: Bundle, address: str, *, calibrate: str, judge: str, images: int, most: int, force: bool
) -> Chosen:
    """Chooses evenly spaced images of one split to calibrate with, and of another to judge by.

    address: KIND:WHERE of `open_samples`, or of `open_instances` for an instance model. calibrate, judge: the splits; a data set
    that has but one is halved, the first half to calibrate with. images: how many to calibrate with. most: to judge by.
    Raises UsageError for fewer than FEWEST images without `force`, EdgesegError for a data set that is not sound.
    """
    reader = open_instances if bundle.task == "instances" else open_samples
    judged: Any = reader(address, judge)
    warnings: list[str] = []
    source: Any = None
    if calibrate != judge:
        try:
            source = reader(address, calibrate)
        except EdgesegError as error:
            warnings.append(f"{error}; so {judge} is halved")
    if source is None or _same(source, judged):
        half = len(judged) // 2
        source, pool = Part(judged, range(half)), Part(judged, range(half, len(judged)))
        origin, split = f"the first half of {judge}", f"{judge}, second half"
    else:
        pool, origin, split = Part(judged, range(len(judged))), calibrate, judge
    spread = evenly(len(source), images)
    if len(spread) < FEWEST and not force:
        raise UsageError(
            f"{len(spread)} images to calibrate with are too few, {FEWEST} are the least: give more with --data or "
            "--images, or take these with --force"
        )
    if not len(spread) or not len(pool):
        raise UsageError(f"{address} has no images to calibrate with beside those to judge by; give more with --data")
    rest = sorted(set(range(len(source))) - set(spread))
    trial = [rest[i] for i in evenly(len(rest), TRIAL)] if len(rest) >= TRIAL else spread[:TRIAL]
    calibration, trial = Part(source, spread), Part(source, trial)
    known = set(fingerprints(calibration).values()) | set(fingerprints(trial).values())
    candidates = Part(pool, evenly(len(pool), most))
    prints = [fingerprint(candidates[i][1]) for i in range(len(candidates))]
    fresh = [i for i, found in enumerate(prints) if found not in known]
    warnings += _alike(calibration)
    if len(fresh) < len(prints):
        warnings.append(f"{len(prints) - len(fresh)} images of {split} are calibrated with too, and do not judge")
    if not fresh:
        raise UsageError(f"every image of {address} {split} is calibrated with too: name another --split")
    return Chosen(
        calibration,
        trial,
        Part(candidates, fresh),
        unplaced(address),
        split,
        f"{len(spread)} of the {len(source)} images of {origin}, evenly spaced",
        tuple(warnings),
    )


def evenly(count: int, most: int) -> list[int]:
    """Returns at most `most` indices below `count`, evenly spaced, the first and the last among them."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()}) if count else []


def fitted(bundle: Bundle, part: Part) -> Iterator[NDArray[np.uint8]]:
    """Yields the images at the network's size, uint8 [height, width, 3] BGR."""
    for index in range(len(part)):
        yield stretch(part[index][1], bundle.width, bundle.height)


def fingerprints(part: Part) -> dict[str, str]:
    """Returns the sha256 of each image's pixels by the image's name; reading names the image that can't be read."""
    return {sample[0]: fingerprint(sample[1]) for sample in (part[i] for i in range(len(part)))}


def fingerprint(image: NDArray[np.uint8]) -> str:
    """Returns the sha256 of an image's pixels, uint8 [H, W, 3] BGR, row by row: a rendered image has no file to take it of."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def _same(one: Any, other: Any) -> bool:
    """Whether two splits are one: a rendered street has none, and gives the same frames for each."""
    if len(one) != len(other) or not len(one):
        return False
    first, second = one[0], other[0]
    return first[0] == second[0] and np.array_equal(first[1], second[1])


def _alike(part: Part) -> Iterator[str]:
    thumbnails = np.stack([stretch(part[i][1], THUMBNAIL, THUMBNAIL) for i in range(len(part))]).astype(np.float32)
    if len(part) > 1 and thumbnails.std(axis=0).mean() < ALIKE:
        yield "the images to calibrate with are all alike: ranges may be too small for others; give more varied ones"
