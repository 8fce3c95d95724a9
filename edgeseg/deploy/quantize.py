"""FP16 and INT8 graphs of a bundle that were judged before they are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import UsageError, did_you_mean
from edgeseg.deploy.calibration import Chosen, choose_images, fitted
from edgeseg.deploy.gate import Cost, Judge, Score, Steps, fewest_in_float, rank
from edgeseg.deploy.graph import float_tensors, read_graph, with_outputs
from edgeseg.deploy.half import halved, kept_in_float
from edgeseg.deploy.qdq import GREATEST, inputs_of, layers, quantise
from edgeseg.deploy.ranges import METHODS, TRAINED, Magnitudes, collect, percentile, trained
from edgeseg.deploy.verdict import ROUNDS, WARM_UP, Timing, time_side_by_side, verdict
from edgeseg.deploy.weights import beside_weights, shared

PRECISIONS = ("fp16", "int8")
RANKED_ON = 8
"""Images on which layers are ranked, once each layer."""


@dataclass(frozen=True)
class Wishes:
    """What is asked for. data: KIND:WHERE, labelled. calibrate, split: its parts to calibrate with and to judge by.

    images: how many to calibrate with. judged: how many to judge by, at most. max_drop: points that a graph may cost.
    force: also with too few images.
    """

    precisions: tuple[str, ...]
    data: str
    calibrate: str = "train"
    split: str = "val"
    images: int = 128
    judged: int = 500
    max_drop: float = 0.5
    force: bool = False


@dataclass(frozen=True)
class Made:
    """A graph, what it is worth, and the layers in it that stayed in FP32, each with the reason."""

    graph: bytes
    score: Score
    in_float: dict[str, str]

    def by_reason(self) -> dict[str, list[str]]:
        """Returns the layers in FP32 by the reason."""
        reasons = dict.fromkeys(self.in_float.values())
        return {why: [layer for layer, said in self.in_float.items() if said == why] for why in reasons}


@dataclass
class Outcome:
    """What came of it. made: by precision. method: of choosing ranges, of those in `methods`, with their points on the trial
    images. ranges: tensor -> method -> largest magnitude. costs: of the layers, where they were ranked. tries: layers in FP32 ->
    points. timings: of each engine. verdict: the sentence."""

    bundle: Bundle
    wishes: Wishes
    chosen: Chosen
    reference: Score
    made: dict[str, Made] = field(default_factory=dict)
    method: str = ""
    methods: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, dict[str, float]] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)
    tries: dict[int, float] = field(default_factory=dict)
    timings: list[Timing] = field(default_factory=list)
    verdict: str = ""

    def drop(self, precision: str) -> float:
        """Points that a precision costs."""
        return self.reference.points - self.made[precision].score.points

    @property
    def held(self) -> bool:
        """Whether no graph costs more than was allowed."""
        return all(self.drop(precision) <= self.wishes.max_drop for precision in self.made)


def quantize(bundle: Bundle, wishes: Wishes, steps: Steps) -> Outcome:
    """Makes the graphs and judges them; nothing is written (`keep` does that, where the gate holds).

    steps: shows how far it is. Raises UsageError, BundleError, EngineError, or EdgesegError for data that is not sound.
    """
    for precision in wishes.precisions:
        if precision not in PRECISIONS:
            raise UsageError(f"no precision {precision!r} to make: {did_you_mean(precision, PRECISIONS)}")
    model = read_graph(bundle)
    chosen = choose_images(
        bundle,
        wishes.data,
        calibrate=wishes.calibrate,
        judge=wishes.split,
        images=wishes.images,
        most=wishes.judged,
        force=wishes.force,
    )
    judge = Judge(bundle, steps)
    reference = judge.score(bundle.graph("fp32").read_bytes(), "fp32", chosen.judged, "judging FP32")
    outcome = Outcome(bundle, wishes, chosen, reference)
    if "fp16" in wishes.precisions:
        outcome.made["fp16"] = _fp16(outcome, model, judge)
    if "int8" in wishes.precisions and outcome.held:
        outcome.made["int8"] = _int8(outcome, model, judge, steps)
    if outcome.held:
        _time(outcome, steps)
    return outcome


def _fp16(outcome: Outcome, model: onnx.ModelProto, judge: Judge) -> Made:
    image, _ = outcome.bundle.golden()
    in_float = kept_in_float(model, _peaks(model, image))
    graph = _signed(outcome.bundle, halved(model, in_float), "fp16")
    return Made(graph, judge.score(graph, "fp16", outcome.chosen.judged, "judging FP16"), in_float)


def _int8(outcome: Outcome, model: onnx.ModelProto, judge: Judge, steps: Steps) -> Made:
    bundle, chosen = outcome.bundle, outcome.chosen
    candidates = layers(model)
    if not candidates:
        raise UsageError(f"{bundle.name} has no convolution that could be computed in INT8: take --precision fp16")
    inputs = inputs_of(model, candidates)
    tick = steps("calibrating", len(chosen.calibration))
    seen = collect(model, inputs.values(), fitted(bundle, chosen.calibration), tick)
    outcome.ranges = {name: {how: choose(held) for how, choose in METHODS.items()} for name, held in seen.items()}
    told = trained(bundle.training.get("int8_ranges", {}), model, candidates)
    for name, limit in told.items():
        outcome.ranges[name][TRAINED] = limit
    for how in [*METHODS, TRAINED] if told else METHODS:
        graph = quantise(model, _of(outcome, how), candidates).SerializeToString()
        outcome.methods[how] = judge.score(graph, "int8", chosen.trial, f"comparing ranges: {how}").points
    outcome.method = max(outcome.methods, key=lambda how: outcome.methods[how])
    ranges = _of(outcome, outcome.method)
    made: dict[int, Made] = {}

    def holds(count: int) -> bool:
        worst = [cost.layer for cost in outcome.costs[:count]]
        graph = _signed(bundle, quantise(model, ranges, [n for n in candidates if n not in worst]), "int8")
        what = f"judging INT8, {count} layers in FP32" if count else "judging INT8"
        score = judge.score(graph, "int8", chosen.judged, what)
        made[count] = Made(graph, score, _reasons(outcome, model, candidates, count, seen))
        outcome.tries[count] = score.points
        return outcome.reference.points - score.points <= outcome.wishes.max_drop

    if holds(0):
        return made[0]
    images = [image for i, image in enumerate(fitted(bundle, chosen.trial)) if i < RANKED_ON]
    outcome.costs = rank(model, ranges, inputs, images, steps)
    count = fewest_in_float(len(candidates), holds)
    return made[count] if count is not None else max(made.values(), key=lambda one: one.score.points)


def _of(outcome: Outcome, method: str) -> dict[str, float]:
    return {name: choices[method] for name, choices in outcome.ranges.items()}


def _reasons(
    outcome: Outcome, model: onnx.ModelProto, candidates: Iterable[str], count: int, seen: dict[str, Magnitudes]
) -> dict[str, str]:
    """Which convolutions stay in FP32 when the `count` costliest do, and why."""
    quantisable = set(candidates)
    reasons = {
        node.name: "after it no other convolution follows: its rounding would be the answer's"
        for node in model.graph.node
        if node.op_type == "Conv" and node.name not in quantisable
    }
    for cost in outcome.costs[:count]:
        limit, half = outcome.ranges[cost.tensor][outcome.method], percentile(seen[cost.tensor], 50)
        reasons[cost.layer] = (
            f"alone in INT8 it puts the outputs {cost.error:.3f} of their deviation off: it reads values up to "
            f"{limit:.3g}, in steps of {limit / GREATEST:.2g}, and half of them are below {half:.2g}"
        )
    return reasons


def _time(outcome: Outcome, steps: Steps) -> None:
    """Holds every engine to the golden frame, and times it."""
    bundle = outcome.bundle
    kept = {precision: bundle.graph(precision) for precision in bundle.graphs if precision not in outcome.made}
    with beside_weights(bundle, {precision: made.graph for precision, made in outcome.made.items()}) as fresh:
        outcome.timings = time_side_by_side(bundle, kept | fresh, steps("timing the engines", ROUNDS + WARM_UP))
    if "int8" in outcome.made:
        outcome.verdict = verdict(outcome.timings, outcome.drop("int8"), outcome.reference.metric)


def _peaks(model: onnx.ModelProto, image: NDArray[np.uint8]) -> dict[str, float]:
    """The largest magnitude of every FP32 tensor on one image, uint8 [height, width, 3] BGR."""
    names = sorted(float_tensors(model))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(with_outputs(model, names), options, providers=["CPUExecutionProvider"])
    answers = session.run(names, {session.get_inputs()[0].name: image[None]})
    return {name: float(np.abs(np.asarray(value)).max()) for name, value in zip(names, answers, strict=True)}


def _signed(bundle: Bundle, model: onnx.ModelProto, precision: str) -> bytes:
    """Returns the graph as a file, which says of which FP32 graph it was made, and reads that one's weights.

    Raises ValidationError for an unsound one.
    """
    properties = {entry.key: entry.value for entry in model.metadata_props}
    source = bundle.files[bundle.graphs["fp32"]]
    onnx.helper.set_model_props(model, {**properties, "precision": precision, "source_sha256": source})
    onnx.checker.check_model(model, full_check=True)
    return shared(model, bundle).SerializeToString()
