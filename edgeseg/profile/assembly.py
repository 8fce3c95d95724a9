"""A row from what was measured of it, in as many rounds as there are so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, cast

import numpy as np

from edgeseg.core.bundle import Bundle
from edgeseg.profile import statistics
from edgeseg.profile.judging import Judged
from edgeseg.profile.roofline import place
from edgeseg.profile.rows import (
    FORMAT,
    Flicker,
    Load,
    Machine,
    Network,
    Robustness,
    Row,
    RunFigures,
    Serial,
    Start,
    Sustained,
)
from edgeseg.profile.timing import ENGINE, LoopTurn, SerialTurn, Turn

LABELS = ("miou", "pixel_accuracy", "dice", "per_class_dice", "boundary_f1", "per_class_boundary_f1")
THINGS = ("mask_ap", "mask_ap50", "mask_ap75", "box_ap")


class Once(TypedDict):
    """What is measured of a row once. peak_gflops: the best of all rounds; None where that can't be measured."""

    judged: Judged
    start: Start
    network: Network
    peak_gflops: float | None
    bandwidth_gbs: float
    sustained: Sustained | None
    robustness: Robustness | None
    flicker: Flicker | None


class Setting(TypedDict):
    """What all rows of a profile share. clip: what the frames are; paced_fps: the live source's pace; rounds: asked for."""

    clip: str
    paced_fps: float
    rounds: int
    machine: Machine


def build_row(bundle: Bundle, turns: Sequence[Turn], once: Once, setting: Setting) -> Row:
    """Returns the row. turns: one or more."""
    judged, engine = once["judged"], turns[0]["engine"]
    alone = [turn["alone_ms"] for turn in turns]
    alone_ms = statistics.percentiles(alone)
    peak, clip = once["peak_gflops"], setting["clip"]
    row = {
        "format": FORMAT,
        "id": f"{bundle.name} {engine['name']} {engine['precision']}",
        "model": bundle.name,
        "task": bundle.task,
        "architecture": bundle.architecture,
        "input": (bundle.width, bundle.height),
        "terms": bundle.terms,
        "precision": engine["precision"],
        "engine": engine,
        "data": judged["data"],
        "split": judged["split"],
        "images_there": judged["images_there"],
        "trained_on": bundle.trained_on(judged["data"], judged["split"]),
        **_eval_figures(bundle.task, judged["figures"]),
        "accuracy": judged["accuracy"],
        **summarize_loop([turn["file"] for turn in turns], clip, live=False),
        "paced": summarize_loop([turn["paced"] for turn in turns], clip, live=True),
        "paced_fps": setting["paced_fps"],
        "serial": summarize_serial([turn["serial"] for turn in turns]),
        "alone": {
            "runs": sum(map(len, alone)),
            "ms": alone_ms,
            "ms_ci": statistics.percentile_intervals(alone),
            "round_ms": _medians(alone),
        },
        "start": once["start"],
        "network": once["network"],
        "roofline": place(once["network"], alone_ms["p50"], peak, once["bandwidth_gbs"])
        if peak and alone_ms["p50"]
        else None,
        "sustained": once["sustained"],
        "robustness": once["robustness"],
        "flicker": once["flicker"],
        "still": judged["still"],
        "machine": setting["machine"],
        "date": turns[0]["date"],
        "rounds": len(turns),
        "rounds_asked": setting["rounds"],
    }
    return cast(Row, row)


def summarize_loop(turns: Sequence[LoopTurn], source: str, *, live: bool) -> RunFigures:
    """Returns the figures of a run of the loop over all of its rounds."""
    latency = [turn["latency_ms"] for turn in turns]
    between = [turn["interval_ms"] for turn in turns]
    pooled = statistics.pooled(between)
    seconds = float(pooled.sum() / 1000)
    engine = [turn["stage_ms"].get(ENGINE, []) for turn in turns]
    engine_ms = statistics.percentiles(engine)["p50"]
    quantiles = np.percentile(statistics.pooled(latency), range(101)).tolist() if any(latency) else []
    dropped: dict[str, int] = {}
    for turn in turns:
        for reason, count in turn["dropped"].items():
            dropped[reason] = dropped.get(reason, 0) + count
    return {
        "captured": sum(turn["captured"] for turn in turns),
        "delivered": sum(turn["delivered"] for turn in turns),
        "dropped": dropped,
        "failed": sum(turn["failed"] for turn in turns),
        "in_flight": sum(turn["in_flight"] for turn in turns),
        "seconds": seconds,
        "fps": len(pooled) / seconds if seconds else None,
        "fps_ci": statistics.interval(between, lambda draws: 1000 / draws.mean(axis=1)),
        "engine_fps": 1000 / engine_ms if engine_ms else None,
        "latency_ms": statistics.percentiles(latency),
        "latency_ms_ci": statistics.percentile_intervals(latency),
        "latency_quantiles_ms": quantiles,
        "waiting_ms": statistics.stage_percentiles([turn["waiting_ms"] for turn in turns]),
        "stage_ms": {name: statistics.stage_percentiles(rounds) for name, rounds in _stages(turns).items()},
        "round_fps": [1000 / float(np.mean(each)) for each in between if each],
        "round_latency_ms": _medians(latency),
        "source": source,
        "live": live,
        "threads": turns[0]["threads"],
        "load": _mean_load([turn["load"] for turn in turns]),
    }


def summarize_serial(turns: Sequence[SerialTurn]) -> Serial:
    """Returns where a frame's time goes, over all rounds. Raises nothing for turns without frames: their figures are null."""
    frame, stages = [turn["frame_ms"] for turn in turns], _stages(turns)
    remainder = [_remainder(turn) for turn in turns]
    wall, left = statistics.pooled(frame), statistics.pooled(remainder)
    means = {name: float(statistics.pooled(rounds).mean()) for name, rounds in stages.items()}
    intervals = {name: statistics.percentile_intervals(rounds)["p50"] for name, rounds in stages.items()}
    return {
        "frames": wall.size,
        "frame_ms": statistics.percentiles(frame),
        "frame_ms_ci": statistics.percentile_intervals(frame),
        "stage_ms": {name: statistics.stage_percentiles(rounds) for name, rounds in stages.items()},
        "stage_ms_ci": intervals,
        "remainder_ms": statistics.stage_percentiles(remainder),
        "remainder_share": float(np.median(left / wall)),
        "frame_mean_ms": float(wall.mean()),
        "mean_ms": {**means, "remainder": float(left.mean())},
        "round_ms": {"frame": _medians(frame), **{name: _medians(rounds) for name, rounds in stages.items()}},
    }


def _remainder(turn: SerialTurn) -> list[float]:
    """What of each frame's wall clock no stage took."""
    stages = np.sum([turn["stage_ms"][name] for name in turn["stage_ms"]], axis=0)
    return (np.asarray(turn["frame_ms"]) - stages).tolist()


def _stages(turns: Sequence[SerialTurn] | Sequence[LoopTurn]) -> dict[str, list[list[float]]]:
    """Stage name -> its samples in each round, in the order of the frame's way."""
    names = dict.fromkeys(name for turn in turns for name in turn["stage_ms"])
    return {name: [turn["stage_ms"].get(name, []) for turn in turns] for name in names}


def _medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [float(np.median(samples)) for samples in rounds if len(samples)]


def _mean_load(loads: Sequence[Load]) -> Load:
    def over(name: str, merge: Callable[[list[float]], float]) -> Any:
        values = [load[name] for load in loads if load[name] is not None]  # type: ignore[literal-required]
        return merge(values) if values else None

    def mean(values: list[float]) -> float:
        return float(np.mean(values))

    return {
        "cpu_percent": over("cpu_percent", mean),
        "machine_percent": over("machine_percent", mean),
        "clock_mhz": over("clock_mhz", mean),
        "temperature_c": over("temperature_c", max),
        "throttled": over("throttled", any),  # type: ignore[arg-type]
        "power_w": over("power_w", mean),
        "power_of": loads[0]["power_of"],
        "joules_a_frame": over("joules_a_frame", mean),
        "gpu_percent": over("gpu_percent", mean),
    }


def _eval_figures(task: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Returns eval's fields, null where nothing was judged."""
    empty = {"images": 0, **dict.fromkeys(THINGS if task == "instances" else LABELS), "per_class": {}, "frame_ms": None}
    return figures or empty
