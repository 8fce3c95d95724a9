"""TensorRT: an engine built for this GPU, run on the GPU's own buffers.

`tensorrt` 8.6, 10 and 11 and `tensorrt_rtx` go through one path: named tensors, fixed shapes, `execute_async_v3`. Whether a
kept engine fits is decided before TensorRT sees it (`edgeseg.runtime.engine_file`), since TensorRT does not say what
differs. Never run on a GPU by its authors.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from math import prod
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EngineError, MissingPackageError
from edgeseg.core.result import EngineInfo
from edgeseg.runtime.engine_file import Device, EngineFile, find_engine
from edgeseg.runtime.gpu.cuda import Address, Cuda
from edgeseg.runtime.gpu.opening import open_cuda
from edgeseg.runtime.gpu.slot import Run
from edgeseg.runtime.gpu.tensorrt_package import install_line, installed_builders, load_builder

GRAPH_OF = {"fp32": "fp32", "fp16": "fp16", "int8": "int8"}
"""Precision asked for -> the bundle's graph that gives it."""

INPUT = "image"


def open_tensorrt(bundle: Bundle, precision: str, reason: str) -> TensorRtEngine:
    """Opens the bundle's engine of this precision that was built for this GPU and this TensorRT.

    Raises MissingPackageError without TensorRT, and EngineError where no kept engine fits: what differs, and what to type.
    """
    builders = installed_builders()
    if not builders:
        raise MissingPackageError(f"no TensorRT is installed: {install_line()}")
    cuda = open_cuda()
    try:
        reasons: list[str] = []
        for builder in builders:
            found = find_engine(bundle, precision, Device.here(builder, str(load_builder(builder).__version__)))
            if found.engine is not None:
                return TensorRtEngine(found.engine, cuda, reason)
            reasons += found.reasons
        raise EngineError(f"no TensorRT engine of {bundle.name} in {precision} fits here: {'; '.join(reasons)}")
    except BaseException:
        cuda.close()
        raise


class TensorRtEngine:
    """An engine in TensorRT, by `edgeseg.runtime.gpu.slot.GpuEngine`. It closes the `cuda` that it is given.

    Raises EngineError for what TensorRT refuses, and for an engine that does not keep to the graph's contract.
    """

    def __init__(self, file: EngineFile, cuda: Cuda, reason: str) -> None:
        self.cuda = cuda
        self._path = file.path
        self._kept = ExitStack()
        self._trt: Any = load_builder(file.key.builder)
        self._log = _log_of(self._trt)
        with cuda.active():
            self._runtime: Any = self._trt.Runtime(self._log)
            self._engine: Any = self._runtime.deserialize_cuda_engine(file.load())
        if self._engine is None:
            raise self._refusal("can't be opened")
        self._input_shape, self.outputs = self._contract()
        self._run: Run | None = None
        self.info = EngineInfo(
            name="tensorrt",
            precision=file.key.precision,
            device=cuda.device,
            threads=0,
            versions={file.key.builder: str(self._trt.__version__), **cuda.versions},
            reason=reason,
        )

    def bind(self, addresses: Mapping[str, Address], stream: int) -> Run:
        """See `GpuEngine.bind`. Each binding has an execution context, so a working memory, of its own."""
        context = self._engine.create_execution_context()
        if context is None:
            raise self._refusal("has no memory to work in")
        for name, address in addresses.items():
            if not context.set_tensor_address(name, int(address)):
                raise self._refusal(f"has no tensor {name}")

        def enqueue() -> None:
            if not context.execute_async_v3(stream):
                raise self._refusal("could not be run")

        # Only TensorRT-RTX says; what the full TensorRT builds at fixed shapes can always be recorded.
        capturable = getattr(context, "is_stream_capturable", lambda stream: True)
        return Run(enqueue, bool(capturable(stream)))

    def infer(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """See `Engine.infer`. It brings every output to the host: to look at, not to make masks of."""
        with self.cuda.active():
            run = self._run or self._open_own_buffers()
            np.copyto(self._image, image[None])
            self.cuda.upload(self._addresses[INPUT], self._image, self._stream)
            run.enqueue()
            for name, answer in self._answers.items():
                self.cuda.download(answer, self._addresses[name], self._stream)
            self.cuda.wait(self._stream)
        return self._answers

    def close(self) -> None:
        """Lets go of the engine, its buffers and the GPU."""
        with self.cuda.active():
            self._run = None
            self._kept.close()
            self._engine = self._runtime = None
        self.cuda.close()

    def __enter__(self) -> TensorRtEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_own_buffers(self) -> Run:
        shapes = {INPUT: self._input_shape, **self.outputs}
        kinds = {name: np.dtype(np.uint8 if name == INPUT else np.float32) for name in shapes}
        self._stream = self.cuda.stream(self._kept)
        arrays = {name: self.cuda.pinned(shape, kinds[name], self._kept) for name, shape in shapes.items()}
        self._addresses = {
            name: self.cuda.allocate(prod(shape) * kinds[name].itemsize, self._kept) for name, shape in shapes.items()
        }
        self._image = arrays.pop(INPUT)
        self._answers = arrays
        self._run = self.bind(self._addresses, self._stream)
        return self._run

    def _contract(self) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
        """Returns the shape of the input and those of the outputs. Raises EngineError where they are not the contract's."""
        shapes: dict[str, tuple[int, ...]] = {}
        wanted = {self._trt.TensorIOMode.INPUT: self._trt.uint8, self._trt.TensorIOMode.OUTPUT: self._trt.float32}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            shapes[name] = tuple(int(side) for side in self._engine.get_tensor_shape(name))
            kind, mode = self._engine.get_tensor_dtype(name), self._engine.get_tensor_mode(name)
            if kind != wanted[mode] or min(shapes[name], default=0) < 1:
                raise EngineError(
                    f"{self._path}: {name} is {kind.name} {list(shapes[name])}, not by the graph's contract: "
                    "export the bundle anew, then edgeseg build"
                )
        if INPUT not in shapes:
            raise EngineError(f"{self._path}: it has no input {INPUT!r}: export the bundle anew, then edgeseg build")
        return shapes.pop(INPUT), shapes

    def _refusal(self, what: str) -> EngineError:
        said = self._log.said.partition("\n")[0] or "it does not say why"
        return EngineError(f"{self._path} {what}: TensorRT: {said}; build it anew: edgeseg build")


def _log_of(trt: Any) -> Any:
    """Returns a logger of this TensorRT that prints nothing and keeps the first error since it was made."""

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said = ""

        def log(self, severity: Any, msg: str) -> None:
            grave = severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR)
            self.said = self.said or (msg.strip() if grave else "")

    return Log()
