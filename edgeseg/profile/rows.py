"""The rows of a profile: the JSON document of `edgeseg profile --json` is a list of them, one a model, engine and precision.

A row has the fields of `edgeseg eval --json` (all but `tta`) and of `edgeseg run --json` (of its run over a file) beside each
other, and what only a profile knows. Fractions are 0..1, times milliseconds unless the name says otherwise; what this machine
does not tell, or was not asked for, is null. Every field is there in every row, but for those of the other task.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict, cast

from edgeseg.core.errors import UsageError

FORMAT = 1

Interval = tuple[float, float]
"""95 % confidence: low, high. A list of two in JSON."""


class Percentiles(TypedDict):
    """p50, p95, p99 and max of the samples; null without any."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


class PercentileIntervals(TypedDict):
    """The confidence interval of each percentile; null where there are too few samples."""

    p50: Interval | None
    p95: Interval | None
    p99: Interval | None
    max: Interval | None


class StagePercentiles(TypedDict):
    """What `run --json` says of a stage."""

    p50: float | None
    p95: float | None
    p99: float | None


class EngineFigures(TypedDict):
    """As in `run --json` (see `edgeseg.core.result.EngineInfo`)."""

    name: str
    precision: str
    device: str
    threads: int
    versions: dict[str, str]
    reason: str


class Load(TypedDict):
    """What the machine told while a run was under way.

    cpu_percent: of this process, 100 = one core. machine_percent: of all cores together, 0..100, with whatever else ran.
    clock_mhz: mean over cores and time. temperature_c: the hottest sensor's highest. throttled: whether the machine said
    that it slowed down. power_w: mean; power_of: what that is the power of ("package", "module", "GPU").
    joules_a_frame: energy over delivered frames. gpu_percent: NVML's utilisation.
    """

    cpu_percent: float | None
    machine_percent: float | None
    clock_mhz: float | None
    temperature_c: float | None
    throttled: bool | None
    power_w: float | None
    power_of: str | None
    joules_a_frame: float | None
    gpu_percent: float | None


class RunFigures(TypedDict):
    """A run of the loop: the fields of `run --json` that are counted and timed, and how sure they are.

    frames are delivered through `edgeseg.streaming.pipeline.Stream`, painted, and handed on. latency_quantiles_ms: 101 values, the
    quantiles 0 %, 1 %, ... 100 % of latency_ms. waiting_ms: of a frame's latency, what no stage accounts for: waiting between
    stages. round_fps, round_latency_ms: rate and median latency of each round. threads: the engine's. load: see `Load`.

    fps is (delivered - rounds) / seconds, and seconds from the first delivery of each round to its last: filling the pipe
    is not in it.
    """

    captured: int
    delivered: int
    dropped: dict[str, int]
    failed: int
    in_flight: int
    seconds: float
    fps: float | None
    fps_ci: Interval | None
    engine_fps: float | None
    latency_ms: Percentiles
    latency_ms_ci: PercentileIntervals
    latency_quantiles_ms: list[float]
    waiting_ms: StagePercentiles
    stage_ms: dict[str, StagePercentiles]
    round_fps: list[float]
    round_latency_ms: list[float]
    source: str
    live: bool
    threads: int
    load: Load


class Serial(TypedDict):
    """One frame at a time, nothing beside it: where a frame's time goes.

    frames: how many, warm-up apart. frame_ms: the wall clock of a frame. stage_ms: of decode, fit, engine, tail, draw, deliver.
    remainder_ms: a frame's wall clock less the sum of its stages, never below 0; remainder_share: median of its share.
    mean_ms: {stage: mean, "remainder": mean}, which add up to frame_mean_ms. round_ms: {"frame" or stage: median of each round}.
    """

    frames: int
    frame_ms: Percentiles
    frame_ms_ci: PercentileIntervals
    stage_ms: dict[str, StagePercentiles]
    stage_ms_ci: dict[str, Interval | None]
    remainder_ms: StagePercentiles
    remainder_share: float
    frame_mean_ms: float
    mean_ms: dict[str, float]
    round_ms: dict[str, list[float]]


class Alone(TypedDict):
    """The engine alone on fitted frames, one after the other; round_ms: the median of each round."""

    runs: int
    ms: Percentiles
    ms_ci: PercentileIntervals
    round_ms: list[float]


class Start(TypedDict):
    """A fresh process, once. seconds of importing, of opening (engine, golden frame, warm-up), from the process's begin to its
    first mask. rss_mb: resident memory after some frames, its peak, and what Python and the libraries took before the model
    was opened; gpu_mb: of this process, by NVML."""

    import_s: float
    open_s: float
    first_mask_s: float
    rss_mb: float
    rss_peak_mb: float
    rss_before_mb: float
    gpu_mb: float | None


class Network(TypedDict):
    """Counted from the ONNX graph. macs: multiply-accumulates of convolutions and matrix products a frame. bytes_moved: every
    weight, and what each of those layers reads and writes, once, in the precision that it runs in. graph_bytes: of the file."""

    parameters: int
    macs: int
    bytes_moved: int
    graph_bytes: int


class Roofline(TypedDict):
    """gflops: 2 x MACs over the engine's median. peak_gflops: the best that this engine reached here in this precision, on large
    convolutions and products. bandwidth_gbs: of a large copy (read and written). intensity: operations a byte moved; ridge: where
    both limits meet. limit_gflops: the lower of both for this network. bound: which one, "arithmetic" or "memory"."""

    gflops: float
    peak_gflops: float
    peak_share: float
    bandwidth_gbs: float
    intensity: float
    ridge: float
    limit_gflops: float
    bound: str


class Accuracy(TypedDict):
    """The one number that plots and budgets take: miou or mask_ap, and its confidence interval over images."""

    metric: str
    value: float | None
    ci: Interval | None


class Sustained(TypedDict):
    """A long run without a pause: the rate in each window of window_s seconds. drop: 1 - last / first, medians of a tenth each."""

    seconds: float
    window_s: float
    fps: list[float]
    temperature_c: list[float | None]
    clock_mhz: list[float | None]
    drop: float


class Robustness(TypedDict):
    """mIoU of the first `images` images, as they are (clean) and made worse: {corruption: [mIoU at strength 1..5]}.

    strengths: {corruption: [what its five strengths mean]}."""

    images: int
    clean: float
    corrupted: dict[str, list[float]]
    strengths: dict[str, list[str]]


class Flicker(TypedDict):
    """Label changes on street:// where the truth did not change. share: of the pixels whose truth is the same class in two frames
    that follow each other, those whose label differs. steady_share: the same, less the pixels next to another class."""

    source: str
    frames: int
    share: float
    steady_share: float


class Machine(TypedDict):
    """What the profile ran on. versions: package -> version."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    gpu: str | None
    versions: dict[str, str]


class _Labels(TypedDict, total=False):
    """Of a semantic model: eval's."""

    miou: float | None
    pixel_accuracy: float | None
    dice: float | None
    per_class_dice: dict[str, float | None]
    boundary_f1: float | None
    per_class_boundary_f1: dict[str, float | None]


class _Things(TypedDict, total=False):
    """Of an instance model: eval's (see `edgeseg.vision.precision`)."""

    mask_ap: float | None
    mask_ap50: float | None
    mask_ap75: float | None
    box_ap: float | None


class Row(RunFigures, _Labels, _Things):
    """A model on an engine in a precision.

    The fields of `RunFigures` are those of the run over a file, as fast as it goes; `paced` has them of the live source.
    id: "model engine precision", what a row is called. input: [width, height] of the network. images: how many were judged;
    images_there: how many the split has; trained_on: the model was trained on them. still: a painted frame of the clip, the
    same for all, as data:image/jpeg;base64. date: of the row's first measurement, ISO 8601, UTC. rounds: how many turns it
    had; rounds_asked: how many it was to have.
    """

    format: int
    id: str
    model: str
    task: str
    architecture: str
    input: tuple[int, int]
    terms: str
    precision: str
    engine: EngineFigures
    data: str
    split: str
    images: int
    images_there: int
    trained_on: bool
    per_class: dict[str, float | None]
    frame_ms: float | None
    accuracy: Accuracy
    paced: RunFigures
    paced_fps: float
    serial: Serial
    alone: Alone
    start: Start
    network: Network
    roofline: Roofline | None
    sustained: Sustained | None
    robustness: Robustness | None
    flicker: Flicker | None
    still: str | None
    machine: Machine
    date: str
    rounds: int
    rounds_asked: int


class Document(TypedDict):
    """What the HTML report is written from. front: ids of the rows that no other beats in both accuracy and rate, fastest first.
    advice: the budget's sentence, or null where none was set; chosen: the id of the row that it names.
    command: what the user typed, where that is known."""

    rows: list[Row]
    front: list[str]
    budget: dict[str, float]
    advice: str | None
    chosen: str | None
    command: str | None


def read_rows(path: Path) -> list[Row]:
    """Reads what `profile --json` wrote. Raises UsageError for anything else: not JSON, not a list of rows, another format."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file; `edgeseg profile --json {path}` writes one") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no JSON that can be read ({error}); write it anew with edgeseg profile") from error
    return checked(document, str(path))


def checked(document: Any, where: str) -> list[Row]:
    """Returns the document as rows once it was seen to be that; `where` names it in the UsageError."""
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise UsageError(f"{where} is not a profile, which is a list of rows; write one with edgeseg profile --json")
    wanted = Row.__required_keys__
    for number, row in enumerate(document, start=1):
        if row.get("format") != FORMAT:
            said = repr(row.get("format"))
            raise UsageError(
                f"{where}: row {number} is of format {said}, this edgeseg reads {FORMAT}; profile anew, or change edgeseg"
            )
        missing = sorted(wanted - row.keys())
        if missing:
            raise UsageError(f"{where}: row {number} has no {missing[0]!r}; write it anew with edgeseg profile --json")
    return cast("list[Row]", document)
