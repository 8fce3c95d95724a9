"""The GPU through NVIDIA's `cuda.bindings`: the driver with CUDA graphs. See `edgeseg.runtime.gpu.cuda`."""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from cuda.bindings import __version__, driver, nvrtc  # pyright: ignore[reportAttributeAccessIssue]
from numpy.typing import DTypeLike, NDArray

from edgeseg.core.errors import EngineError
from edgeseg.runtime.gpu.cuda import BLOCK, KERNELS, Address, blocks, refusal


class CudaBindings:
    """See `edgeseg.runtime.gpu.cuda.Cuda`. Raises EngineError where there is no NVIDIA driver, GPU or NVRTC."""

    name = "cuda.bindings"

    def __init__(self) -> None:
        try:
            _checked(driver.cuInit(0))
        except RuntimeError as error:
            raise EngineError("there is no NVIDIA driver here: install it, or take --engine onnxruntime") from error
        gpu = _checked(driver.cuDeviceGet(0))
        self.device = _checked(driver.cuDeviceGetName(256, gpu)).split(b"\0")[0].decode()
        version = _checked(driver.cuDriverGetVersion())
        self.versions = {"cuda-bindings": __version__, "cuda": f"{version // 1000}.{version % 1000 // 10}"}
        attribute = driver.CUdevice_attribute
        major = _checked(driver.cuDeviceGetAttribute(attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, gpu))
        minor = _checked(driver.cuDeviceGetAttribute(attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, gpu))
        cubin = compiled(KERNELS.read_bytes(), f"sm_{major}{minor}", str(version))
        self._events: dict[int, Any] = {}
        self._kernels: dict[str, Any] = {}
        self._kept = ExitStack()
        self._context = _checked(driver.cuDevicePrimaryCtxRetain(gpu))
        self._kept.callback(driver.cuDevicePrimaryCtxRelease, gpu)
        with self.active():
            self._module = _checked(driver.cuModuleLoadData(cubin))

    @contextmanager
    def active(self) -> Iterator[None]:
        """See `Cuda.active`."""
        _checked(driver.cuCtxPushCurrent(self._context))
        try:
            yield
        finally:
            driver.cuCtxPopCurrent()

    def stream(self, kept: ExitStack) -> int:
        """See `Cuda.stream`."""
        stream = _checked(driver.cuStreamCreate(driver.CUstream_flags.CU_STREAM_NON_BLOCKING))
        kept.callback(driver.cuStreamDestroy, stream)
        flags = driver.CUevent_flags
        event = _checked(driver.cuEventCreate(flags.CU_EVENT_BLOCKING_SYNC | flags.CU_EVENT_DISABLE_TIMING))
        kept.callback(driver.cuEventDestroy, event)
        self._events[int(stream)] = event
        kept.callback(self._events.pop, int(stream))
        return int(stream)

    def allocate(self, size: int, kept: ExitStack) -> Address:
        """See `Cuda.allocate`."""
        address = Address(int(_checked(driver.cuMemAlloc(size))))
        kept.callback(driver.cuMemFree, address)
        return address

    def pinned(self, shape: Sequence[int], dtype: DTypeLike, kept: ExitStack) -> NDArray[Any]:
        """See `Cuda.pinned`."""
        size = prod(shape) * np.dtype(dtype).itemsize
        address = int(_checked(driver.cuMemHostAlloc(size, 0)))
        kept.callback(driver.cuMemFreeHost, address)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address)).view(dtype).reshape(shape)

    def upload(self, address: Address, array: NDArray[Any], stream: int) -> None:
        """See `Cuda.upload`."""
        _checked(driver.cuMemcpyHtoDAsync(address, array.ctypes.data, array.nbytes, stream))

    def download(self, array: NDArray[Any], address: Address, stream: int) -> None:
        """See `Cuda.download`."""
        _checked(driver.cuMemcpyDtoHAsync(array.ctypes.data, address, array.nbytes, stream))

    def launch(self, kernel: str, threads: tuple[int, int, int], arguments: Sequence[int], stream: int) -> None:
        """See `Cuda.launch`."""
        if kernel not in self._kernels:
            self._kernels[kernel] = _checked(driver.cuModuleGetFunction(self._module, kernel.encode()))
        kinds = tuple(ctypes.c_void_p if isinstance(value, Address) else ctypes.c_int for value in arguments)
        values = tuple(int(value) for value in arguments)
        _checked(
            driver.cuLaunchKernel(self._kernels[kernel], *blocks(threads), *BLOCK, 1, 0, stream, (values, kinds), 0)
        )

    def record(self, work: Callable[[], None], stream: int, kept: ExitStack) -> Callable[[], None]:
        """See `Cuda.record`."""
        # The first time, TensorRT and the driver allocate and load, which must not be recorded.
        work()
        self.wait(stream)
        # Thread-local: another thread may allocate while this one records.
        _checked(driver.cuStreamBeginCapture(stream, driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
        try:
            work()
        except BaseException:
            driver.cuStreamEndCapture(stream)
            raise
        recorded = _checked(driver.cuStreamEndCapture(stream))
        try:
            graph = _checked(driver.cuGraphInstantiate(recorded, 0))
        finally:
            driver.cuGraphDestroy(recorded)
        kept.callback(driver.cuGraphExecDestroy, graph)
        return lambda: _checked(driver.cuGraphLaunch(graph, stream))

    def wait(self, stream: int) -> None:
        """See `Cuda.wait`."""
        _checked(driver.cuEventRecord(self._events[stream], stream))
        _checked(driver.cuEventSynchronize(self._events[stream]))

    def close(self) -> None:
        """See `Cuda.close`."""
        with self.active():
            driver.cuModuleUnload(self._module)
        self._kept.close()


def compiled(source: bytes, architecture: str, driver_version: str) -> bytes:
    """Returns the machine code of CUDA C++ source for an architecture ("sm_87"), from NVRTC or from what it made before.

    It is kept in ~/.cache/edgeseg, or $XDG_CACHE_HOME/edgeseg, by the source, the architecture, NVRTC's version and the
    driver's. Raises EngineError.
    """
    try:
        version = _checked_nvrtc(nvrtc.nvrtcVersion())
    except RuntimeError as error:
        raise EngineError(
            "NVRTC, CUDA's compiler as a library, is not installed: pip install nvidia-cuda-nvrtc"
        ) from error
    key = hashlib.sha256(source + f"{architecture} {version} {driver_version} {__version__}".encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeseg"
    kept = folder / f"kernels-{architecture}-{key}.cubin"
    if kept.is_file():
        return kept.read_bytes()
    cubin = _compile(source, architecture)
    # A cache that can't be written costs a second at the next start, nothing else.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".kernels-", delete=False) as draft:
            draft.write(cubin)
        Path(draft.name).replace(kept)
    return cubin


def _compile(source: bytes, architecture: str) -> bytes:
    program = _checked_nvrtc(nvrtc.nvrtcCreateProgram(source, b"kernels.cu", 0, [], []))
    options = [f"--gpu-architecture={architecture}".encode(), b"--fmad=false"]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        log = b" " * _checked_nvrtc(nvrtc.nvrtcGetProgramLogSize(program))
        nvrtc.nvrtcGetProgramLog(program, log)
        said = log.strip(b" \0\n").decode(errors="replace").partition("\n")[0]
        raise EngineError(f"NVRTC can't compile {KERNELS} for {architecture} ({said}): upgrade CUDA's NVRTC")
    cubin = b" " * _checked_nvrtc(nvrtc.nvrtcGetCUBINSize(program))
    _checked_nvrtc(nvrtc.nvrtcGetCUBIN(program, cubin))
    nvrtc.nvrtcDestroyProgram(program)
    return cubin


def _checked(answer: tuple[Any, ...]) -> Any:
    """Returns what a call of the driver returned beside its status. Raises EngineError, in one line."""
    status, *values = answer
    if status != driver.CUresult.CUDA_SUCCESS:
        _, name = driver.cuGetErrorName(status)
        _, meaning = driver.cuGetErrorString(status)
        full = status == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY
        raise refusal(name.decode(), meaning.decode(), out_of_memory=full)
    return values[0] if len(values) == 1 else tuple(values)


def _checked_nvrtc(answer: tuple[Any, ...]) -> Any:
    status, *values = answer
    if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        _, name = nvrtc.nvrtcGetErrorString(status)
        raise EngineError(f"NVRTC can't compile {KERNELS} ({name.decode()}): install another version of CUDA's NVRTC")
    return values[0] if len(values) == 1 else tuple(values)
