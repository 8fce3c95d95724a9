"""Rows whose samples are drawn, not measured: what a profile says of them can be known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgeseg.core.bundle import Bundle
from edgeseg.profile.assembly import Once, Setting, build_row
from edgeseg.profile.rows import Load, Row
from edgeseg.profile.timing import LoopTurn, Turn

STAGES = {"decode": 5.0, "fit": 0.5, "engine": 9.0, "tail": 0.4, "draw": 1.0, "deliver": 0.1}
NOTHING: Load = {
    "cpu_percent": 180.0,
    "machine_percent": 95.0,
    "clock_mhz": None,
    "temperature_c": None,
    "throttled": None,
    "power_w": None,
    "power_of": None,
    "joules_a_frame": None,
    "gpu_percent": None,
}


def drawn_row(
    seed: int = 0,
    *,
    name: str = "net",
    precision: str = "fp32",
    miou: float | None = 0.7,
    rounds: int = 3,
    **more_ms: float,
) -> Row:
    """Returns a row of 60 frames a round, with 5 % of noise in a frame and 2 % in a round; more_ms: added to a stage."""
    random = np.random.default_rng(seed)
    stages = {stage: usual + more_ms.get(stage, 0.0) for stage, usual in STAGES.items()}
    turns = [_turn(random, stages, precision) for _ in range(rounds)]
    figures = {"images": 101, "miou": miou, "pixel_accuracy": 0.9, "per_class": {"road": miou}, "frame_ms": 12.0}
    once: Once = {
        "judged": {
            "data": "camvid:there",
            "split": "val",
            "images_there": 101,
            "figures": figures,
            "accuracy": {"metric": "miou", "value": miou, "ci": None},
            "still": "data:image/jpeg;base64,",
        },
        "start": {
            "import_s": 0.5,
            "open_s": 0.5,
            "first_mask_s": 1.1,
            "rss_mb": 250.0,
            "rss_peak_mb": 260.0,
            "rss_before_mb": 110.0,
            "gpu_mb": None,
        },
        "network": {"parameters": 1_000_000, "macs": 700_000_000, "bytes_moved": 100_000_000, "graph_bytes": 4_000_000},
        "peak_gflops": 200.0,
        "bandwidth_gbs": 20.0,
        "sustained": None,
        "robustness": None,
        "flicker": None,
    }
    setting: Setting = {
        "clip": "drawn",
        "paced_fps": 30.0,
        "rounds": rounds,
        "machine": {
            "processor": "a processor",
            "cores": 2,
            "memory_gb": 8.0,
            "system": "Linux",
            "python": "3.11",
            "gpu": None,
            "versions": {"numpy": "2.0"},
        },
    }
    return build_row(_bundle(name), turns, once, setting)


def _turn(random: np.random.Generator, stages: dict[str, float], precision: str) -> Turn:
    slower = 1 + 0.02 * random.standard_normal()
    spans = {name: (usual * slower * random.gamma(400, 1 / 400, 60)).tolist() for name, usual in stages.items()}
    frame = (np.sum(list(spans.values()), axis=0) + 0.05).tolist()
    slowest = max(stages.values()) * slower
    return {
        "date": "2026-01-01T00:00:00+00:00",
        "engine": {
            "name": "onnxruntime",
            "precision": precision,
            "device": "a processor",
            "threads": 2,
            "versions": {},
            "reason": "as asked",
        },
        "serial": {"frame_ms": frame, "stage_ms": spans},
        "alone_ms": spans["engine"],
        "file": _loop(random, spans, slowest),
        "paced": _loop(random, spans, max(slowest, 1000 / 30)),
    }


def _loop(random: np.random.Generator, spans: dict[str, list[float]], interval_ms: float) -> LoopTurn:
    worked = np.sum(list(spans.values()), axis=0)
    waiting = 2 * random.gamma(100, 1 / 100, 60)
    return {
        "captured": 60,
        "delivered": 60,
        "dropped": {},
        "failed": 0,
        "in_flight": 0,
        "interval_ms": (interval_ms * random.gamma(400, 1 / 400, 59)).tolist(),
        "latency_ms": (worked + waiting).tolist(),
        "waiting_ms": waiting.tolist(),
        "stage_ms": spans,
        "threads": 2,
        "load": NOTHING,
    }


def _bundle(name: str) -> Bundle:
    about: dict[str, Any] = {
        "task": "semantic",
        "architecture": "net",
        "width": 576,
        "height": 384,
        "fit": "stretch",
        "stride": 8,
        "classes": ("road",),
        "palette": ((0, 0, 0),),
        "ignore_id": 255,
        "graphs": {},
        "files": {},
        "metrics": (),
        "training": {},
        "terms": "none",
    }
    return Bundle(path=Path("nowhere"), name=name, **about)
