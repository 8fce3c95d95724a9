"""Activation ranges: which magnitudes INT8 shall tell apart, from what the network's tensors hold on calibration images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgeseg.deploy.graph import with_outputs

BINS = 2048
LEVELS = 128
"""Magnitudes that symmetric INT8 tells apart."""

PERCENTILE = 99.99
SMALLEST = np.finfo(np.float32).tiny
"""Below it are the numbers that engines take for zero."""


@dataclass
class Magnitudes:
    """A histogram of magnitudes that grows with what it sees, in memory that does not.

    peak: the largest. limit: where the last bin ends. counts: int64 [BINS]. Zeros are not counted:
    every range tells them.
    """

    peak: float = 0.0
    limit: float = 0.0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: NDArray[np.float32]) -> None:
        """Counts the magnitudes of an array of any shape."""
        magnitudes = np.abs(values)
        magnitudes = magnitudes[magnitudes >= SMALLEST]
        if not magnitudes.size:
            return
        peak = float(magnitudes.max())
        self.peak = max(self.peak, peak)
        self.limit = self.limit or peak
        while self.limit < self.peak:
            # Two bins become one: what was counted stays exact.
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
            self.limit *= 2
        bins = np.minimum((magnitudes / np.float32(self.limit) * BINS).astype(np.int64), BINS - 1)
        self.counts += np.bincount(bins, minlength=BINS)


def collect(
    model: onnx.ModelProto, tensors: Iterable[str], images: Iterable[NDArray[np.uint8]], tick: Callable[[], object]
) -> dict[str, Magnitudes]:
    """Returns what each tensor held on the images, which are uint8 [H, W, 3] BGR at the network's size.

    tick: called after each image. One image's tensors at a time are in memory.
    """
    names = sorted(set(tensors))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(with_outputs(model, names), options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name
    seen = {name: Magnitudes() for name in names}
    for image in images:
        for name, values in zip(names, session.run(names, {feed: image[None]}), strict=True):
            seen[name].add(np.asarray(values, np.float32))
        tick()
    return seen


def minmax(seen: Magnitudes) -> float:
    """The whole range: nothing is clipped."""
    return seen.peak


def percentile(seen: Magnitudes, percent: float = PERCENTILE) -> float:
    """The magnitude that so many percent of the values (but zeros) stay below."""
    total = np.cumsum(seen.counts)
    reached = int(np.searchsorted(total, total[-1] * percent / 100))
    return min((reached + 1) * seen.limit / BINS, seen.peak)


def entropy(seen: Magnitudes) -> float:
    """The range whose `LEVELS` steps lose the least information (Kullback-Leibler; Migacz 2017, "8-bit inference")."""
    counts = seen.counts.astype(np.float64)
    used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
    best, least = seen.peak, np.inf
    for width in range(LEVELS, used + 1, LEVELS // 16):
        divergence = _divergence(counts, width)
        if divergence < least:
            best, least = min(width * seen.limit / BINS, seen.peak), divergence
    return best


METHODS: dict[str, Callable[[Magnitudes], float]] = {"minmax": minmax, "entropy": entropy, "percentile": percentile}
"""How a range is chosen from what was seen."""
TRAINED = "trained"
"""The name of the ranges that a network was fine-tuned with."""


def trained(told: Mapping[str, Sequence[float]], model: onnx.ModelProto, layers: Collection[str]) -> dict[str, float]:
    """Returns the ranges that `edgeseg train --qat` rounded with, by tensor; none where not each of `layers` has a sound one.

    told: the name of a layer in the network -> the range of what it reads, one for each time that it is computed; in a
    bundle's training, `int8_ranges`.
    """
    left = {name: list(ranges) for name, ranges in told.items()}
    found: dict[str, float] = {}
    for node in model.graph.node:
        if node.name in layers:
            ranges = left.get(node.input[1].removeprefix("network.").removesuffix(".weight"))
            if not ranges or not 0 < ranges[0] < np.inf:
                return {}
            found[node.input[0]] = ranges.pop(0)
    return found


def _divergence(counts: NDArray[np.float64], width: int) -> float:
    """How much of the distribution is lost when all from bin `width` on is clipped, and the rest told in LEVELS steps."""
    kept = counts[:width]
    clipped = kept.copy()
    clipped[-1] += counts[width:].sum()
    starts = (np.arange(LEVELS) * width) // LEVELS
    level = np.searchsorted(starts, np.arange(width), side="right") - 1
    filled = kept > 0
    share = np.bincount(level, kept, LEVELS) / np.maximum(np.bincount(level, filled, LEVELS), 1)
    rounded = np.where(filled, share[level], 0.0)
    if not rounded.any():
        return np.inf
    p, q = clipped / clipped.sum(), rounded / rounded.sum()
    there = p > 0
    return float(np.sum(p[there] * np.log(p[there] / np.maximum(q[there], 1e-12))))
