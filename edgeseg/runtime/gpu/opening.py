"""Which of the two CUDA drivers is opened: the one whose package is installed."""

from __future__ import annotations

from importlib.util import find_spec

from edgeseg.core.errors import MissingPackageError
from edgeseg.runtime.gpu.cuda import Cuda


def open_cuda() -> Cuda:
    """Opens the first GPU with the driver package that is installed. Raises MissingPackageError or EngineError."""
    if find_spec("cuda") is not None and find_spec("cuda.bindings") is not None:
        from edgeseg.runtime.gpu.cuda_bindings import CudaBindings

        return CudaBindings()
    if find_spec("pycuda") is not None:
        from edgeseg.runtime.gpu.cuda_pycuda import PyCuda

        return PyCuda()
    raise MissingPackageError("neither cuda-bindings nor pycuda is installed: pip install 'edgeseg[gpu]'")
