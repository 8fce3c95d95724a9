"""What a row is worth: eval's figures, how sure the first of them is, and a picture of its answer."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypedDict, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.core.masks import SemanticMask
from edgeseg.data.instance_samples import open_instances
from edgeseg.data.instances import InstanceSamples
from edgeseg.data.samples import Samples, open_samples
from edgeseg.evaluate.accuracy import judge
from edgeseg.evaluate.instance_accuracy import judge_instances
from edgeseg.profile.rows import Accuracy
from edgeseg.profile.statistics import DRAWS, SEED
from edgeseg.runtime.instances import InstanceSegmenter
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.vision.metrics import ConfusionMatrix
from edgeseg.vision.overlay import paint, paint_instances

STILL_WIDTH = 480
NEIGHBOURS = 4
"""The bootstrap draws runs of so many images: those of a drive are alike."""


class Judged(TypedDict):
    """data: the address, or "" where none given has the model's classes; figures: eval's, {} then. still: see `still`."""

    data: str
    split: str
    images_there: int
    figures: dict[str, Any]
    accuracy: Accuracy
    still: str


class Labelled:
    """The labelled images that models are judged on. addresses: KIND:WHERE each; images: at most so many of each, all by default.

    Raises what opening an address raises, unless it opens for another task.
    """

    def __init__(self, addresses: tuple[str, ...], split: str, images: int | None) -> None:
        if images is not None and images < 1:
            raise UsageError(f"--images {images}: give 1 or more")
        self.split = split
        self._labels: list[tuple[str, Samples]] = []
        self._things: list[tuple[str, InstanceSamples]] = []
        self._most = images
        for address in addresses:
            self._open(address)

    def of(self, bundle: Bundle) -> tuple[str, int, Samples | InstanceSamples] | None:
        """Returns the first data set with the model's classes: its address, how many images it has, and those to judge."""
        if bundle.task == "instances":
            for address, samples in self._things:
                if set(samples.classes) <= set(bundle.classes):
                    return address, len(samples), cast(InstanceSamples, _some(samples, self._most))
            return None
        for address, samples in self._labels:
            if samples.classes == bundle.classes:
                return address, len(samples), cast(Samples, _some(samples, self._most))
        return None

    def some(self, bundle: Bundle, most: int) -> Samples | None:
        """Returns at most so many of the labelled images with a semantic model's classes, spread over them."""
        found = self.of(bundle)
        return None if found is None else cast(Samples, _some(found[2], most))

    def _open(self, address: str) -> None:
        failures: list[EdgesegError] = []
        for opened, open_kind in ((self._labels, open_samples), (self._things, open_instances)):
            try:
                opened.append((address, open_kind(address, self.split)))  # type: ignore[arg-type]
            except EdgesegError as error:
                failures.append(error)
        if len(failures) == 2:
            raise failures[0]


class _Spread:
    """`count` of the samples, spread evenly over them."""

    def __init__(self, samples: Any, count: int) -> None:
        self._samples = samples
        self._places = np.linspace(0, len(samples) - 1, count).round().astype(int).tolist()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._samples, name)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Any:
        return self._samples[self._places[index]]


def _some(samples: Any, most: int | None) -> Any:
    return samples if most is None or most >= len(samples) else _Spread(samples, most)


class _FrameMatrices:
    """Takes what `judge` shows of each frame, and keeps its confusion matrix."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self.counts: list[NDArray[np.int64]] = []

    def offer(self, name: str, image: NDArray[np.uint8], truth: NDArray[np.uint8], answer: NDArray[np.uint8]) -> None:
        matrix = ConfusionMatrix(self._bundle.classes)
        matrix.add(truth, answer, self._bundle.ignore_id)
        self.counts.append(matrix.counts)


def judged(
    segmenter: SemanticSegmenter | InstanceSegmenter,
    labelled: Labelled,
    picture: NDArray[np.uint8],
    progress: Callable[[int], object] = lambda done: None,
) -> Judged:
    """Judges a model on the first data set with its classes, as `edgeseg eval` does.

    picture: what the still shows, uint8 [H, W, 3] BGR. progress: called with the images done.
    """
    bundle = segmenter.bundle
    metric = "mask_ap" if bundle.task == "instances" else "miou"
    found = labelled.of(bundle)
    if found is None:
        return {
            "data": "",
            "split": labelled.split,
            "images_there": 0,
            "figures": {},
            "accuracy": {"metric": metric, "value": None, "ci": None},
            "still": still(segmenter, picture),
        }
    address, there, samples = found
    if isinstance(segmenter, InstanceSegmenter):
        figures, ci = judge_instances(segmenter, cast(InstanceSamples, samples), progress), None
    else:
        frames = _FrameMatrices(bundle)
        figures = judge(segmenter, cast(Samples, samples), progress, watcher=frames)
        ci = miou_interval(np.stack(frames.counts))
    return {
        "data": address,
        "split": labelled.split,
        "images_there": there,
        "figures": figures,
        "accuracy": {"metric": metric, "value": figures[metric], "ci": ci},
        "still": still(segmenter, picture),
    }


def miou_interval(counts: NDArray[np.int64]) -> tuple[float, float] | None:
    """Returns the 95 % interval of mIoU over other images like these, None of less than 8. counts: int64 [images, K, K]."""
    images = len(counts)
    if images < 2 * NEIGHBOURS:
        return None
    random = np.random.default_rng(SEED)
    starts = random.integers(images - NEIGHBOURS + 1, size=(DRAWS, -(-images // NEIGHBOURS)))
    chosen = (starts[:, :, None] + np.arange(NEIGHBOURS)).reshape(DRAWS, -1)[:, :images]
    times = np.stack([np.bincount(draw, minlength=images) for draw in chosen])
    drawn = np.einsum("di,ijk->djk", times, counts).astype(float)
    hits = np.einsum("djj->dj", drawn)
    whole = drawn.sum(1) + drawn.sum(2) - hits
    iou = np.divide(hits, whole, out=np.full(hits.shape, np.nan), where=whole > 0)
    low, high = np.percentile(np.nanmean(iou, axis=1), (2.5, 97.5)).tolist()
    return low, high


def still(segmenter: SemanticSegmenter | InstanceSegmenter, image: NDArray[np.uint8]) -> str:
    """Returns the painted answer to an image, uint8 [H, W, 3] BGR, as a small data:image/jpeg;base64."""
    masks = segmenter(image)
    palette = segmenter.bundle.palette
    painted = (
        paint(image, masks.labels, palette)
        if isinstance(masks, SemanticMask)
        else paint_instances(image, masks, palette)
    )
    height = max(1, round(STILL_WIDTH * image.shape[0] / image.shape[1]))
    small = cv2.resize(painted, (STILL_WIDTH, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 82])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
