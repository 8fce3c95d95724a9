"""Which engine and precision compute a bundle here, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import MissingPackageError, UsageError, did_you_mean
from edgeseg.core.packages import install_line
from edgeseg.runtime.cpu import usable_cores
from edgeseg.runtime.engine import Engine
from edgeseg.runtime.engine_file import Device, find_engine
from edgeseg.runtime.golden import check_golden
from edgeseg.runtime.gpu import tensorrt_package
from edgeseg.runtime.gpu.driver import find_gpu
from edgeseg.runtime.gpu.tensorrt_package import installed_builders, load_builder

PACKAGE_OF = {"tensorrt": "tensorrt", "openvino": "openvino", "onnxruntime": "onnxruntime"}
"""Engine -> the package that it needs; tensorrt_rtx may take tensorrt's place."""

PRECISIONS = ("fp32", "bf16", "fp16", "int8")
ON_TENSORRT = ("fp16", "int8", "fp32")
"""What auto takes of the TensorRT engines that were built, the first that fits."""


@dataclass(frozen=True)
class Choice:
    """An engine, a precision, the bundle's graph (a key of `Bundle.graphs`) that gives it, and the reason."""

    engine: str
    precision: str
    graph: str
    reason: str


def installed(engine: str) -> bool:
    """Whether what an engine needs is here: its package (it is not imported for that), and for TensorRT a GPU too."""
    if engine == "tensorrt":
        return bool(installed_builders()) and find_gpu() is not None
    return find_spec(PACKAGE_OF[engine]) is not None


def choose(bundle: Bundle, engine: str = "auto", precision: str = "auto") -> Choice:
    """Decides on engine and precision; what the user named is kept to, or refused, never replaced.

    auto takes a TensorRT engine that was built for this GPU, else ONNX Runtime where that computes on a GPU, else OpenVINO in
    BF16 where the processor has it (the fastest by far in docs/results.md, and 99.93 % of the labels agree with FP32), else
    ONNX Runtime in FP32, the reference. The reason says what was passed over. Raises UsageError or MissingPackageError.
    """
    if engine not in ("auto", *PACKAGE_OF):
        raise UsageError(f"no engine {engine!r}: {did_you_mean(engine, ('auto', *PACKAGE_OF))}")
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(f"no precision {precision!r}: {did_you_mean(precision, ('auto', *PRECISIONS))}")
    if engine != "auto" and not installed(engine):
        raise MissingPackageError(_missing(engine))
    if not any(installed(name) for name in PACKAGE_OF):
        raise MissingPackageError(f"no inference engine is installed: {install_line('openvino')}")
    refused: list[str] = []
    for candidate in _candidates(bundle, engine, precision):
        graph = graph_of(candidate.engine).get(candidate.precision)
        if graph is None:
            refused.append(f"{candidate.engine} has no {candidate.precision}")
        elif graph not in bundle.graphs:
            refused.append(f"the bundle {bundle.name} has no {graph} graph, only {', '.join(bundle.graphs)}")
        else:
            return Choice(candidate.engine, candidate.precision, graph, candidate.reason)
    raise UsageError(f"--engine {engine} --precision {precision} can't be: {'; '.join(dict.fromkeys(refused))}")


def _candidates(bundle: Bundle, engine: str, precision: str) -> list[Choice]:
    """Returns what to try, best first; `graph` is still open."""
    if engine != "auto" and precision != "auto":
        return [Choice(engine, precision, "", "as asked")]
    if engine in ("openvino", "onnxruntime"):
        return [_on_cpu(engine)]
    precisions = ON_TENSORRT if precision == "auto" else (precision,)
    built, passed_over = _built(bundle, precisions) if installed("tensorrt") else ([], "")
    if built or engine == "tensorrt":
        return built or [Choice("tensorrt", precisions[0], "", "as asked")]
    if precision != "auto":
        names = ["openvino", "onnxruntime"] if precision in {"bf16", "int8"} else ["onnxruntime", "openvino"]
        reason = f"auto: {passed_over}the first engine here that has {precision}"
        return [Choice(name, precision, "", reason) for name in names if installed(name)]
    if installed("onnxruntime") and _onnxruntime_cuda():
        return [Choice("onnxruntime", "fp32", "", f"auto: {passed_over}ONNX Runtime computes on the GPU here")]
    name = "openvino" if installed("openvino") and (_openvino_bf16() or not installed("onnxruntime")) else "onnxruntime"
    choice = _on_cpu(name)
    return [replace(choice, reason=choice.reason.replace("auto: ", f"auto: {passed_over}"))]


def _on_cpu(engine: str) -> Choice:
    """Returns a CPU engine in the precision that suits the processor."""
    if not installed("openvino"):
        return Choice(engine, "fp32", "", "auto: openvino is not installed")
    if not _openvino_bf16():
        return Choice(engine, "fp32", "", "auto: this processor has no BF16")
    if engine == "openvino":
        return Choice(engine, "bf16", "", "auto: the processor computes BF16, where OpenVINO is the fastest")
    return Choice(engine, "fp32", "", "auto: the precision of reference")


def _built(bundle: Bundle, precisions: Sequence[str]) -> tuple[list[Choice], str]:
    """Returns the TensorRT engines of a bundle that fit here, or why there is none, for the front of another reason."""
    reasons: list[str] = []
    for builder in installed_builders():
        here = Device.here(builder, str(load_builder(builder).__version__))
        for precision in precisions:
            if precision not in bundle.graphs:
                continue
            found = find_engine(bundle, precision, here)
            if found.engine is not None:
                return [Choice("tensorrt", precision, "", "auto: a TensorRT engine was built for this GPU")], ""
            reasons += found.reasons
    return [], f"no TensorRT engine fits ({reasons[0]}); " if reasons else ""


def _missing(engine: str) -> str:
    """What an engine lacks, and what to do about it."""
    if engine != "tensorrt":
        return f"the engine {engine} is not installed: {install_line(PACKAGE_OF[engine])}"
    if find_gpu() is None:
        return "the engine tensorrt needs an NVIDIA GPU and its driver, and none is here: leave --engine out"
    return f"no TensorRT is installed: {tensorrt_package.install_line()}"


def open_engine(bundle: Bundle, choice: Choice, threads: int | None = None) -> Engine:
    """Opens the engine that was chosen and holds it to the bundle's golden frame.

    threads: cores it may take; by default all but one, which the rest of the loop needs. Raises EngineError.
    """
    engine = _opened(bundle, choice, threads or max(1, usable_cores() - 1))
    try:
        check_golden(engine, bundle)
    except BaseException:
        engine.close()
        raise
    return engine


def _opened(bundle: Bundle, choice: Choice, threads: int) -> Engine:
    if choice.engine == "tensorrt":
        from edgeseg.runtime.gpu.tensorrt import open_tensorrt

        return open_tensorrt(bundle, choice.precision, choice.reason)
    graph = bundle.graph(choice.graph)
    return engine_class(choice.engine)(graph, precision=choice.precision, threads=threads, reason=choice.reason)


def engine_class(engine: str) -> Callable[..., Engine]:
    """Returns what opens a graph on a CPU engine: `engine_class(name)(graph, precision=..., threads=..., reason=...)`."""
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
        case "tensorrt":
            from edgeseg.runtime.gpu.tensorrt import GRAPH_OF
        case _:
            from edgeseg.runtime.ort import GRAPH_OF
    return GRAPH_OF


def _openvino_bf16() -> bool:
    from edgeseg.runtime.openvino import supports_bf16

    return supports_bf16()


def _onnxruntime_cuda() -> bool:
    from edgeseg.runtime.ort import computes_on_gpu

    return computes_on_gpu()
