"""TensorRT's builder in one way for its versions: an ONNX graph in, a serialized engine out.

What differs among the versions stands here and nowhere else, each looked up by its name instead of by a version number:

- strong typing (the graph says each precision itself): absent in 8, to be asked for in 10, a flag without effect in 11
  and in TensorRT-RTX. Where it is absent, the builder flags FP16 and INT8 allow what the graph asks for.
- EXPLICIT_BATCH: needed in 8, deprecated in 10, absent in 11.
- IProgressMonitor: absent in 8, so that a build there shows no progress and can't be stopped before its end.
- ParserError.node_name and node_operator: since 10; in 8 a node is named by its place.
- The timing cache: a no-op in TensorRT-RTX, which times nothing where it builds.

Only TensorRT-RTX 1.7 has run this; `tensorrt` 8.6, 10 and 11 were read about, and not run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from threading import Event
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from edgeseg.core.errors import EngineError

OUT_OF_MEMORY = re.compile(
    r"out\s?of\s?memory|insufficient memory|memory\b.* could not be allocated|cudaError 2\b", re.IGNORECASE
)


class Watcher(Protocol):
    """Is told what the builder does, by any of its threads. phase: TensorRT's name for it; it lies within parent."""

    def begin(self, phase: str, parent: str | None, steps: int) -> None: ...

    def step(self, phase: str, done: int) -> None: ...

    def end(self, phase: str) -> None: ...


@dataclass(frozen=True)
class Request:
    """What to build.

    graph: a serialized ONNX model. path: its file, which messages name, and beside which lie the weights that it reads.
    precision: "fp32", "fp16" or "int8": the graph's own. compute_capability: "8.6", for TensorRT-RTX alone; None leaves it
    to the builder. workspace: bytes that one layer may take on the GPU; None: all there are. timing_cache: what an earlier
    build returned.
    """

    graph: bytes
    path: str
    precision: str
    compute_capability: str | None = None
    workspace: int | None = None
    timing_cache: bytes = b""


class Serialized(NamedTuple):
    """What a build returned: the engine, and what was timed for it (empty where nothing is kept)."""

    engine: bytes
    timing_cache: bytes


def serialize(trt: ModuleType, request: Request, watcher: Watcher, stop: Event) -> Serialized:
    """Builds an engine with `tensorrt` or `tensorrt_rtx`. `stop`, once it is set, ends the build at its next step.

    Raises EngineError: the node that is refused and why, no GPU, too little of its memory, or that it was stopped.
    """
    logger = _logger(trt)
    try:
        builder = trt.Builder(logger)
    except TypeError as error:  # how pybind says that the C++ side made nothing
        raise EngineError(
            f"{trt.__name__} does not start ({_said(logger.errors)}): is the GPU's driver loaded? nvidia-smi says"
        ) from error
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)  # holds the weights: it must outlive the build
    if not parser.parse(request.graph, request.path):
        raise EngineError(f"{request.path}: {_refusal(trt, parser)}")
    if not network.num_outputs:  # foreign bytes may pass for an ONNX file with nothing in it
        raise EngineError(f"{request.path}: there is no graph in it; export the bundle anew")
    config = builder.create_builder_config()
    _configure(trt, config, request)
    cache = _timing_cache(trt, config, request.timing_cache)
    monitor = _monitor(trt, watcher, stop)
    if monitor is not None:
        config.progress_monitor = monitor
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EngineError(f"{request.path}: {'stopped' if stop.is_set() else failure(trt, logger.errors)}")
    return Serialized(bytes(engine), bytes(cache.serialize()) if cache is not None else b"")


def capabilities(trt: ModuleType) -> tuple[str, ...]:
    """Returns the compute capabilities that can be built for without such a GPU, "7.5" to "12.1"; none for `tensorrt`."""
    names = dir(getattr(trt, "ComputeCapability", None))
    found = (re.fullmatch(r"SM(\d+)(\d)", name) for name in names)
    return tuple(sorted((f"{match[1]}.{match[2]}" for match in found if match), key=float))


def _network_flags(trt: ModuleType) -> int:
    names = ("EXPLICIT_BATCH", "STRONGLY_TYPED")
    flags = (getattr(trt.NetworkDefinitionCreationFlag, name, None) for name in names)
    return sum(1 << int(flag) for flag in flags if flag is not None)


def _configure(trt: ModuleType, config: Any, request: Request) -> None:
    if not hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        for name in {"fp32": (), "fp16": ("FP16",), "int8": ("FP16", "INT8")}[request.precision]:
            config.set_flag(getattr(trt.BuilderFlag, name))
    if request.precision == "fp32":
        # TF32, the default, keeps 10 bits of a factor's 23: this graph is the reference, and fp16 is there for speed.
        config.clear_flag(trt.BuilderFlag.TF32)
    if request.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace)
    if request.compute_capability is not None:
        config.num_compute_capabilities = 1
        name = f"SM{request.compute_capability.replace('.', '')}"
        config.set_compute_capability(getattr(trt.ComputeCapability, name), 0)


def _timing_cache(trt: ModuleType, config: Any, kept: bytes) -> Any:
    if trt.__name__ != "tensorrt":
        return None
    # One that does not fit this TensorRT is refused, and a fresh one is as good as none.
    cache = config.create_timing_cache(kept)
    if not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def _logger(trt: ModuleType) -> Any:
    class Logger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)  # pybind wants its own called, not super()'s
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.errors.append(message)

    return Logger()


def _monitor(trt: ModuleType, watcher: Watcher, stop: Event) -> Any:
    if not hasattr(trt, "IProgressMonitor"):
        return None

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            watcher.begin(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            watcher.step(phase_name, step + 1)
            return not stop.is_set()

        def phase_finish(self, phase_name: str) -> None:
            watcher.end(phase_name)

    return Monitor()


def _refusal(trt: ModuleType, parser: Any) -> str:
    """Says which node the parser refused, and why."""
    version = f"{trt.__name__} {trt.__version__}"
    if not parser.num_errors:
        return f"{version} can't read the graph and does not say why; export the bundle anew"
    error = parser.get_error(0)
    if error.node() < 0:
        return f"{version} can't read the graph ({_said([error.desc()])}); export the bundle anew"
    name = error.node_name() if hasattr(error, "node_name") else ""
    operator = error.node_operator() if hasattr(error, "node_operator") else ""
    node = f"node {name or error.node()}" + (f" ({operator})" if operator else "")
    if error.code() == trt.ErrorCode.UNSUPPORTED_NODE or "Plugin not found" in error.desc():
        return f"{version} has no such operator as {node}; change the network, or use another engine"
    return f"{version} refuses {node}: {_said([error.desc()])}; quantize or export the bundle anew"


def failure(trt: ModuleType, errors: list[str]) -> str:
    """Says why a network that was read could not be built, from what TensorRT logged as errors."""
    if any(OUT_OF_MEMORY.search(error) for error in errors):
        return (
            "the GPU ran out of memory while building: close what else uses it (nvidia-smi lists it), "
            "or take less: edgeseg build ... --workspace 256"
        )
    return f"{trt.__name__} {trt.__version__} can't build it: {_said(errors)}"


def _said(messages: list[str]) -> str:
    """Returns what TensorRT complained of in one line, without where in its source it did."""
    lines = [line for message in messages for line in message.splitlines() if line.strip()]
    # Without a driver, each error is followed by one about the driver; and each graph by one about log streams.
    telling = [line for line in lines if "catchCudaError" not in line and "Thread context" not in line]
    wrapped = [match[1] for line in telling if (match := re.search(r"Error \((.*?)\.? In \w+ at ", line))]
    return (wrapped or telling or lines or ["it does not say why"])[0].strip()
