"""ONNX Runtime, on the CPU the reference that every other engine is compared with; on a GPU where it was built with CUDA."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Unsupported

from edgeseg.core.errors import EngineError
from edgeseg.core.result import EngineInfo
from edgeseg.runtime.cpu import cpu_name
from edgeseg.runtime.gpu.driver import find_gpu

GRAPH_OF = {"fp32": "fp32", "fp16": "fp16", "int8": "int8"}
"""Precision asked for -> the bundle's graph that gives it."""

UNREADABLE = (Fail, InvalidGraph, InvalidProtobuf, Unsupported)


class OnnxRuntimeEngine:
    """A graph in ONNX Runtime, in the precision that stands in the graph."""

    def __init__(self, graph: Path, *, precision: str, threads: int, reason: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Spinning workers would take the cores that decoding, resizing and the tail need between two inferences.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers: list[Any] = ["CPUExecutionProvider"]
        if computes_on_gpu():
            # TF32 would round what is called FP32.
            providers.insert(0, ("CUDAExecutionProvider", {"use_tf32": 0}))
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=providers)
        except UNREADABLE as error:
            said = str(error).splitlines()[0]
            raise EngineError(
                f"{graph}: ONNX Runtime can't open it ({said}); upgrade onnxruntime or export it anew"
            ) from error
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.info = EngineInfo(
            name="onnxruntime",
            precision=precision,
            device=self._device(),
            threads=threads,
            versions={"onnxruntime": onnxruntime.__version__},
            reason=reason,
        )

    def infer(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """See `Engine.infer`."""
        values = self._session.run(self._outputs, {self._input: image[None]})
        return {name: np.asarray(value) for name, value in zip(self._outputs, values, strict=True)}

    def _device(self) -> str:
        """What it computes on: a GPU that was there and could not be opened is not named."""
        gpu = find_gpu() if self._session.get_providers()[0] == "CUDAExecutionProvider" else None
        return gpu.name if gpu else cpu_name()

    def close(self) -> None:
        """Nothing to let go of: ONNX Runtime frees a session with its object."""

    def __enter__(self) -> OnnxRuntimeEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def computes_on_gpu() -> bool:
    """Whether this ONNX Runtime was built with CUDA, and a GPU is here. Never run on a GPU by its authors."""
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers() and find_gpu() is not None
