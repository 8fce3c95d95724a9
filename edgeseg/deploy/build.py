"""From a bundle's graph to a TensorRT engine for this device, kept in the bundle beside what it depends on."""

from __future__ import annotations

import contextlib
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event
from types import ModuleType

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EngineError, MissingPackageError, UsageError, did_you_mean
from edgeseg.deploy.tensorrt_api import Request, Serialized, Watcher, capabilities, serialize
from edgeseg.runtime import engine_file
from edgeseg.runtime.engine_file import ANY, FOLDER, Device, EngineFile, EngineKey
from edgeseg.runtime.gpu.driver import find_gpu
from edgeseg.runtime.gpu.tensorrt_package import BUILDERS, install_line, installed_builders, load_builder

PRECISIONS = ("fp32", "fp16", "int8")
PORTABLE = "8.0+"
"""What TensorRT-RTX builds for unless told otherwise: each GPU from this compute capability on."""


@dataclass(frozen=True)
class Plan:
    """What to build, and why.

    key: of the engine. kept: the engine that is there already and fits, whole; None where there is something to do.
    reasons: what is wrong with each engine of this precision that is kept, in words.
    """

    key: EngineKey
    kept: EngineFile | None
    reasons: tuple[str, ...]


def choose_builder(name: str = "auto") -> ModuleType:
    """Returns `tensorrt` or `tensorrt_rtx`; auto is `tensorrt` where it is installed and a GPU is there, else the other.

    Raises UsageError, MissingPackageError with the line that installs it on this platform, or EngineError.
    """
    if name not in ("auto", *BUILDERS):
        raise UsageError(f"no builder {name!r}: {did_you_mean(name, ('auto', *BUILDERS))}")
    here = installed_builders()
    if name == "auto":
        if not here:
            raise MissingPackageError(f"no TensorRT is installed: {install_line()}")
        name = here[0] if find_gpu() is not None else here[-1]
    if name == "tensorrt" and name in here and find_gpu() is None:
        raise EngineError(
            "tensorrt builds on the GPU that will run the engine, and this machine has none: build on the device, "
            "or for desktop GPUs build here with --builder tensorrt_rtx"
        )
    return load_builder(name)


def precisions(bundle: Bundle, precision: str = "auto") -> tuple[str, ...]:
    """Returns the graphs to build: the named one, or each that the bundle has. Raises UsageError."""
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(f"no precision {precision!r}: {did_you_mean(precision, ('auto', *PRECISIONS))}")
    if precision != "auto" and precision not in bundle.graphs:
        raise UsageError(
            f"the bundle {bundle.name} has no {precision} graph, only {', '.join(bundle.graphs)}: "
            f"edgeseg quantize {shlex.quote(str(bundle.path))} --precision {precision}"
        )
    return tuple(name for name in PRECISIONS if name in bundle.graphs and precision in ("auto", name))


def plan(bundle: Bundle, precision: str, trt: ModuleType, compute_capability: str = ANY) -> Plan:
    """Decides what to build for a precision, and whether it is there already.

    compute_capability: "8.6", or "any", which is the GPU here for `tensorrt`, every GPU from Ampere on for TensorRT-RTX
    (but Turing where such a GPU is here). Raises UsageError where this TensorRT can't build for it.
    """
    key = EngineKey.wanted(bundle, precision, _target(trt, compute_capability))
    examined = [engine_file.examine(path, key, bundle) for path in engine_file.kept_engines(bundle, precision)]
    kept = next((one.engine for one in examined if one.engine is not None and one.key == key), None)
    return Plan(key, kept, tuple(one.reason for one in examined if one.reason))


def build(bundle: Bundle, plan: Plan, trt: ModuleType, watcher: Watcher, workspace: int | None = None) -> EngineFile:
    """Builds an engine and keeps it in the bundle, in place of those that this device can't use any more.

    workspace: bytes that one layer may take on the GPU; None: all there are. Raises EngineError; Ctrl-C leaves nothing.
    """
    key = plan.key
    graph = bundle.graph(key.precision)
    cache = bundle.path / FOLDER / f"timing-{key.builder_version}-{key.compute_capability}.cache"
    request = Request(
        graph=graph.read_bytes(),
        path=str(graph),
        precision=key.precision,
        compute_capability=None
        if key.builder == "tensorrt" or key.compute_capability == PORTABLE
        else key.compute_capability,
        workspace=workspace,
        timing_cache=cache.read_bytes() if cache.is_file() else b"",
    )
    serialized = _serialize(trt, request, watcher)
    engine = engine_file.write(bundle, key, serialized.engine)
    if serialized.timing_cache:
        # It only spares time: where the disk is full after the engine, the next build does without.
        with contextlib.suppress(OSError):
            engine_file.replace(cache, serialized.timing_cache)
    _retire(bundle, engine)
    return engine


def _serialize(trt: ModuleType, request: Request, watcher: Watcher) -> Serialized:
    """Builds in a thread of its own: Python hears of Ctrl-C in the main thread alone, and not while that is in TensorRT."""
    stop = Event()
    with ThreadPoolExecutor(1, "edgeseg-build") as pool:
        building = pool.submit(serialize, trt, request, watcher, stop)
        try:
            return building.result()
        except KeyboardInterrupt:
            stop.set()
            raise


def _target(trt: ModuleType, compute_capability: str) -> Device:
    """Returns what a build by this TensorRT is for."""
    here = Device.here(trt.__name__, str(trt.__version__))
    if trt.__name__ == "tensorrt":
        if compute_capability not in (ANY, here.compute_capability):
            raise UsageError(
                f"tensorrt builds for the GPU here, of compute capability {here.compute_capability}, "
                f"not for {compute_capability}: build on that device, or take --builder tensorrt_rtx"
            )
        return here
    if compute_capability == ANY:
        turing = here.compute_capability == "7.5"
        compute_capability = here.compute_capability if turing else PORTABLE
    elif compute_capability not in (known := capabilities(trt)):
        raise UsageError(f"{trt.__name__} can't build for {compute_capability!r}; known: any, {', '.join(known)}")
    return replace(here, platform=ANY, gpu=ANY, compute_capability=compute_capability)


def _retire(bundle: Bundle, new: EngineFile) -> None:
    """Removes the engines whose place a new one takes: those for the same device, and those that can't be read."""
    for path in engine_file.kept_engines(bundle, new.key.precision):
        try:
            old = engine_file.read(path).key
        except EngineError:
            pass  # nobody can use it, and nobody can say for which device it was
        else:
            device = (new.key.builder, new.key.platform, new.key.gpu, new.key.compute_capability)
            if old == new.key or (old.builder, old.platform, old.gpu, old.compute_capability) != device:
                continue
        path.with_suffix(".engine").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
