"""OpenVINO on the CPU: the fast one, above all in BF16."""

from __future__ import annotations

import platform
from pathlib import Path
from types import TracebackType

import numpy as np
import openvino
from numpy.typing import NDArray

from edgeseg.core.errors import EngineError
from edgeseg.core.result import EngineInfo
from edgeseg.runtime.cpu import cpu_name

GRAPH_OF = {"fp32": "fp32", "bf16": "fp32", "fp16": "fp16", "int8": "int8"}
"""Precision asked for -> the bundle's graph that gives it. BF16 is the FP32 graph computed in BF16 by the processor."""


def supports_bf16() -> bool:
    """Whether this processor computes in BF16 itself, as OpenVINO sees it."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _arithmetic(precision: str) -> str:
    """What the processor is to compute in where the graph leaves it open."""
    # What INT8 leaves in floating point is best computed in BF16 too, where the processor can.
    if precision == "bf16" or (precision == "int8" and supports_bf16()):
        return "bf16"
    # x86 processors are said to have FP16, and take longer with it than with FP32.
    return "f16" if precision == "fp16" and platform.machine().lower() in {"aarch64", "arm64"} else "f32"


class OpenVinoEngine:
    """A graph compiled by OpenVINO for the CPU, the precision always said, never left to its default."""

    def __init__(self, graph: Path, *, precision: str, threads: int, reason: str) -> None:
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _arithmetic(precision),
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # A pinned engine would share its core with whatever the scheduler has put there.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = openvino.Core().compile_model(str(graph), "CPU", settings)
        except RuntimeError as error:
            said = str(error).strip().splitlines()[-1]
            raise EngineError(f"{graph}: OpenVINO can't open it ({said}); take --engine onnxruntime") from error
        self._request = compiled.create_infer_request()
        self._outputs = {output.get_any_name(): index for index, output in enumerate(compiled.outputs)}
        self.info = EngineInfo(
            name="openvino",
            precision=precision,
            device=cpu_name(),
            threads=threads,
            versions={"openvino": openvino.__version__},
            reason=reason,
        )

    def infer(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """See `Engine.infer`."""
        self._request.infer([image[None]], share_inputs=True, share_outputs=True)
        return {name: self._request.get_output_tensor(index).data for name, index in self._outputs.items()}

    def close(self) -> None:
        """Nothing to let go of: OpenVINO frees a request with its object."""

    def __enter__(self) -> OpenVinoEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
