"""The verdict: whether INT8 is worth it on this device, timed side by side with the other precisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeseg.core.bundle import Bundle
from edgeseg.runtime.choose import engine_class, graph_of, installed
from edgeseg.runtime.engine import Engine
from edgeseg.runtime.golden import check_golden

CPU_ENGINES = ("openvino", "onnxruntime")
ROUNDS, WARM_UP = 21, 3
WORTH = 1.1
"""How many times as fast INT8 must be to be worth a file of its own."""


@dataclass(frozen=True)
class Timing:
    """The median of an engine's time for one image, in milliseconds, on one thread."""

    engine: str
    precision: str
    ms: float


def openable(graphs: Mapping[str, Path]) -> Iterable[tuple[str, str, Path]]:
    """Yields engine, precision and graph for all that this device can compute of a bundle's graphs (by precision)."""
    for engine in CPU_ENGINES:
        if not installed(engine):
            continue
        for precision, graph in graph_of(engine).items():
            if graph in graphs and (precision != "bf16" or _bf16()):
                yield engine, precision, graphs[graph]


def time_side_by_side(
    bundle: Bundle, graphs: Mapping[str, Path], tick: Callable[[], object] = lambda: None
) -> list[Timing]:
    """Returns what each engine and precision takes for the bundle's golden frame, the fastest first.

    They take turns, so that a busy moment of the machine is everyone's. graphs: precision -> file. tick: called after each of
    ROUNDS + WARM_UP rounds. Raises EngineError for an engine that does not answer the golden frame as it should.
    """
    image, _ = bundle.golden()
    with ExitStack() as stack:
        engines: dict[tuple[str, str], Engine] = {}
        for engine, precision, path in openable(graphs):
            opened = engine_class(engine)(path, precision=precision, threads=1, reason="timed")
            engines[engine, precision] = stack.enter_context(opened)
            check_golden(opened, bundle)
        seconds: dict[tuple[str, str], list[float]] = {key: [] for key in engines}
        for _ in range(ROUNDS + WARM_UP):
            for key, engine in engines.items():
                begin = time.perf_counter()
                engine.infer(image)
                seconds[key].append(time.perf_counter() - begin)
            tick()
    timings = [Timing(*key, 1e3 * float(np.median(taken[WARM_UP:]))) for key, taken in seconds.items()]
    return sorted(timings, key=lambda timing: timing.ms)


def verdict(timings: Iterable[Timing], drop: float, metric: str) -> str:
    """Returns one sentence: the fastest INT8 against the fastest of the other precisions. drop: points that INT8 costs."""
    ordered = sorted(timings, key=lambda timing: timing.ms)
    int8 = next((timing for timing in ordered if timing.precision == "int8"), None)
    other = next((timing for timing in ordered if timing.precision != "int8"), None)
    if int8 is None or other is None:
        return "INT8 was not timed: there is no engine here to compare"
    ratio = other.ms / int8.ms
    worth = "is" if ratio >= WORTH else "isn't"
    return (
        f"INT8 {worth} worth it here: {ratio:.2f}x for {round(-drop, 1) + 0.0:+.1f} {metric} ({int8.engine} int8 "
        f"{int8.ms:.3g} ms, {other.engine} {other.precision} {other.ms:.3g} ms, one thread)"
    )


def _bf16() -> bool:
    from edgeseg.runtime.openvino import supports_bf16

    return supports_bf16()
