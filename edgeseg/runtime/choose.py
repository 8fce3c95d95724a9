"""Which engine and precision compute a bundle here, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import MissingPackageError, UsageError, did_you_mean
from edgeseg.core.packages import install_line
from edgeseg.runtime.cpu import usable_cores
from edgeseg.runtime.engine import Engine
from edgeseg.runtime.golden import check_golden

PACKAGE_OF = {"openvino": "openvino", "onnxruntime": "onnxruntime"}
"""Engine -> the package that it needs."""

PRECISIONS = ("fp32", "bf16", "fp16", "int8")


@dataclass(frozen=True)
class Choice:
    """An engine, a precision, the bundle's graph (a key of `Bundle.graphs`) that gives it, and the reason."""

    engine: str
    precision: str
    graph: str
    reason: str


def installed(engine: str) -> bool:
    """Whether the package that an engine needs is there (it is not imported for that)."""
    return find_spec(PACKAGE_OF[engine]) is not None


def choose(bundle: Bundle, engine: str = "auto", precision: str = "auto") -> Choice:
    """Decides on engine and precision; what the user named is kept to, or refused, never replaced.

    auto takes OpenVINO in BF16 where the processor has it (the fastest by far in docs/results.md, and 99.93 % of the labels
    agree with FP32), else ONNX Runtime in FP32, the reference. Raises UsageError or MissingPackageError.
    """
    if engine not in ("auto", *PACKAGE_OF):
        raise UsageError(f"no engine {engine!r}: {did_you_mean(engine, ('auto', *PACKAGE_OF))}")
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(f"no precision {precision!r}: {did_you_mean(precision, ('auto', *PRECISIONS))}")
    if engine != "auto" and not installed(engine):
        raise MissingPackageError(f"the engine {engine} is not installed: {install_line(PACKAGE_OF[engine])}")
    if not any(installed(name) for name in PACKAGE_OF):
        raise MissingPackageError(f"no inference engine is installed: {install_line('openvino')}")
    refused: list[str] = []
    for candidate in _candidates(engine, precision):
        graph = graph_of(candidate.engine).get(candidate.precision)
        if graph is None:
            refused.append(f"{candidate.engine} has no {candidate.precision}")
        elif graph not in bundle.graphs:
            refused.append(f"the bundle {bundle.name} has no {graph} graph, only {', '.join(bundle.graphs)}")
        else:
            return Choice(candidate.engine, candidate.precision, graph, candidate.reason)
    raise UsageError(f"--engine {engine} --precision {precision} can't be: {'; '.join(dict.fromkeys(refused))}")


def _candidates(engine: str, precision: str) -> list[Choice]:
    """Returns what to try, best first; `graph` is still open."""
    if engine != "auto" and precision != "auto":
        return [Choice(engine, precision, "", "as asked")]
    bf16 = installed("openvino") and _openvino_bf16()
    no_bf16 = "" if bf16 else "this processor has no BF16" if installed("openvino") else "openvino is not installed"
    if engine == "auto" and precision == "auto":
        best = Choice("openvino", "bf16", "", "auto: the processor computes BF16, where OpenVINO is the fastest")
        reference = Choice("onnxruntime", "fp32", "", f"auto: {no_bf16}")
        rest = Choice("openvino", "fp32", "", "auto: onnxruntime is not installed")
        order = [best] if bf16 else []
        return order + ([reference] if installed("onnxruntime") else [rest])
    if engine == "auto":
        names = ["openvino", "onnxruntime"] if precision in {"bf16", "int8"} else ["onnxruntime", "openvino"]
        return [
            Choice(name, precision, "", f"auto: the first engine here that has {precision}")
            for name in names
            if installed(name)
        ]
    if engine == "openvino" and bf16:
        return [Choice(engine, "bf16", "", "auto: the processor computes BF16")]
    return [Choice(engine, "fp32", "", f"auto: {no_bf16 or 'the precision of reference'}")]


def open_engine(bundle: Bundle, choice: Choice, threads: int | None = None) -> Engine:
    """Opens the engine that was chosen and holds it to the bundle's golden frame.

    threads: cores it may take; by default all but one, which the rest of the loop needs. Raises EngineError.
    """
    cores = threads or max(1, usable_cores() - 1)
    graph = bundle.graph(choice.graph)
    engine = engine_class(choice.engine)(graph, precision=choice.precision, threads=cores, reason=choice.reason)
    try:
        check_golden(engine, bundle)
    except BaseException:
        engine.close()
        raise
    return engine


def engine_class(engine: str) -> Callable[..., Engine]:
    """Returns what opens a graph: `engine_class(name)(graph, precision=..., threads=..., reason=...)`."""
    match engine:
        case "openvino":
            from edgeseg.runtime.openvino import OpenVinoEngine

            return OpenVinoEngine
        case _:
            from edgeseg.runtime.ort import OnnxRuntimeEngine

            return OnnxRuntimeEngine


def graph_of(engine: str) -> dict[str, str]:
    """Returns precision -> the bundle's graph that gives it, for all that an engine computes."""
    match engine:
        case "openvino":
            from edgeseg.runtime.openvino import GRAPH_OF
        case _:
            from edgeseg.runtime.ort import GRAPH_OF
    return GRAPH_OF


def _openvino_bf16() -> bool:
    from edgeseg.runtime.openvino import supports_bf16

    return supports_bf16()
