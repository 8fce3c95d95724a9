"""The gate: what a graph of lower precision costs in points, and which layers must stay in FP32 so that it costs little."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EdgesegError
from edgeseg.deploy.calibration import Part
from edgeseg.deploy.qdq import quantise
from edgeseg.deploy.weights import beside_weights
from edgeseg.evaluate.accuracy import judge
from edgeseg.evaluate.instance_accuracy import judge_instances
from edgeseg.runtime.cpu import usable_cores
from edgeseg.runtime.instances import InstanceSegmenter
from edgeseg.runtime.ort import OnnxRuntimeEngine
from edgeseg.runtime.semantic import SemanticSegmenter

Tick = Callable[[], object]
Steps = Callable[[str, int], Tick]
"""steps(what is done, how many steps it has) -> what to call after each."""

LEAST_SHARE = 0.5
"""Of the layers, how many must stay in INT8 for the graph to be called so."""


@dataclass(frozen=True)
class Score:
    """What a graph is worth on labelled images. metric: "mIoU" or "mask AP". points: 0..100; per_class likewise, None where a
    class is nowhere. figures: all that `judge` or `judge_instances` say."""

    metric: str
    points: float
    per_class: dict[str, float | None]
    figures: dict[str, Any]


class Judge:
    """Scores graphs of a bundle on labelled images, with ONNX Runtime, through the segmenter that `run` uses."""

    def __init__(self, bundle: Bundle, steps: Steps) -> None:
        self._bundle, self._steps = bundle, steps

    def score(self, graph: bytes, precision: str, part: Part, what: str) -> Score:
        """Returns the score of an ONNX graph. what: is done, for the eyes. Raises EngineError, UsageError."""
        tick = self._steps(what, len(part))
        with beside_weights(self._bundle, {precision: graph}) as paths:
            engine = OnnxRuntimeEngine(paths[precision], precision=precision, threads=usable_cores(), reason="judged")
        if self._bundle.task == "instances":
            with InstanceSegmenter(self._bundle, engine) as segmenter:
                figures = judge_instances(segmenter, part, lambda done: tick())
            metric, key = "mask AP", "mask_ap"
        else:
            with SemanticSegmenter(self._bundle, engine) as segmenter:
                figures = judge(segmenter, part, lambda done: tick())
            metric, key = "mIoU", "miou"
        if figures[key] is None:
            raise EdgesegError(f"the images hold nothing that {self._bundle.name} is judged by: name other --data")
        per_class = {name: None if value is None else 100 * value for name, value in figures["per_class"].items()}
        return Score(metric, 100 * figures[key], per_class, figures)


@dataclass(frozen=True)
class Cost:
    """What INT8 of one layer alone does to the outputs: their root mean square error as a share of their deviation."""

    layer: str
    tensor: str
    error: float


def rank(
    model: onnx.ModelProto,
    ranges: Mapping[str, float],
    inputs: Mapping[str, str],
    images: Sequence[NDArray[np.uint8]],
    steps: Steps,
) -> list[Cost]:
    """Returns the cost of each layer, quantised alone, the costliest first.

    inputs: layer -> the tensor that it reads, of `inputs_of`. images: uint8 [H, W, 3] BGR at the network's size.
    """
    tick = steps("ranking the layers", len(inputs))
    expected = _answers(model.SerializeToString(), images)
    costs: list[Cost] = []
    for layer, tensor in inputs.items():
        answers = _answers(quantise(model, ranges, {layer}).SerializeToString(), images)
        costs.append(Cost(layer, tensor, _error(answers, expected)))
        tick()
    return sorted(costs, key=lambda cost: -cost.error)


def fewest_in_float(layers: int, holds: Callable[[int], bool]) -> int | None:
    """Returns the least number of layers, costliest first, that must stay in FP32 so that the gate holds, or None.

    holds: whether it does with so many; asked for 1, 2, 4, ... until it does, then for those between.
    """
    most = int(layers * (1 - LEAST_SHARE))
    failed, count = 0, 1
    while count <= most and not holds(count):
        failed, count = count, min(2 * count, most) if count < most else most + 1
    if count > most:
        return None
    while count - failed > 1:
        middle = (failed + count) // 2
        if holds(middle):
            count = middle
        else:
            failed = middle
    return count


def _answers(graph: bytes, images: Iterable[NDArray[np.uint8]]) -> list[list[NDArray[np.float32]]]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name
    return [[np.asarray(value) for value in session.run(None, {feed: image[None]})] for image in images]


def _error(answers: list[list[NDArray[np.float32]]], expected: list[list[NDArray[np.float32]]]) -> float:
    """The worst output's root mean square error over all images, as a share of its standard deviation."""
    shares: list[float] = []
    for output, reference in zip(zip(*answers, strict=True), zip(*expected, strict=True), strict=True):
        said, right = np.stack(output), np.stack(reference)
        shares.append(float(np.sqrt(np.mean(np.square(said - right), dtype=np.float64)) / (np.std(right) + 1e-9)))
    return max(shares)
