"""The GPU through `pycuda`: the driver that JetPack's users have, without CUDA graphs. See `edgeseg.runtime.gpu.cuda`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pycuda  # pyright: ignore[reportMissingImports]
import pycuda.compiler  # pyright: ignore[reportMissingImports]
import pycuda.driver  # pyright: ignore[reportMissingImports]
from numpy.typing import DTypeLike, NDArray

from edgeseg.core.errors import EngineError
from edgeseg.runtime.gpu.cuda import BLOCK, KERNELS, Address, blocks, refusal

_NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING of cuda.h, which pycuda has no name for."""


class PyCuda:
    """See `edgeseg.runtime.gpu.cuda.Cuda`. Raises EngineError where there is no GPU, or no nvcc to compile the kernels with."""

    name = "pycuda"

    def __init__(self) -> None:
        with _explained():
            pycuda.driver.init()
            gpu = pycuda.driver.Device(0)
            self._context: Any = gpu.retain_primary_context()
        self.device = str(gpu.name())
        version = pycuda.driver.get_driver_version()
        self.versions = {"pycuda": pycuda.VERSION_TEXT, "cuda": f"{version // 1000}.{version % 1000 // 10}"}
        self._streams: dict[int, tuple[Any, Any]] = {}
        with self.active():
            self._module: Any = pycuda.driver.module_from_buffer(_compiled("sm_{}{}".format(*gpu.compute_capability())))

    @contextmanager
    def active(self) -> Iterator[None]:
        """See `Cuda.active`."""
        with _explained():
            self._context.push()
            try:
                yield
            finally:
                self._context.pop()

    def stream(self, kept: ExitStack) -> int:
        """See `Cuda.stream`."""
        stream = pycuda.driver.Stream(_NON_BLOCKING)
        flags = pycuda.driver.event_flags
        event = pycuda.driver.Event(flags.BLOCKING_SYNC | flags.DISABLE_TIMING)
        self._streams[stream.handle] = stream, event
        kept.callback(self._streams.pop, stream.handle)
        return stream.handle

    def allocate(self, size: int, kept: ExitStack) -> Address:
        """See `Cuda.allocate`."""
        memory = pycuda.driver.mem_alloc(size)
        kept.callback(memory.free)
        return Address(int(memory))

    def pinned(self, shape: Sequence[int], dtype: DTypeLike, kept: ExitStack) -> NDArray[Any]:
        """See `Cuda.pinned`."""
        array = pycuda.driver.pagelocked_empty(tuple(shape), np.dtype(dtype))
        kept.callback(array.base.free)
        return array

    def upload(self, address: Address, array: NDArray[Any], stream: int) -> None:
        """See `Cuda.upload`."""
        pycuda.driver.memcpy_htod_async(int(address), array, self._streams[stream][0])

    def download(self, array: NDArray[Any], address: Address, stream: int) -> None:
        """See `Cuda.download`."""
        pycuda.driver.memcpy_dtoh_async(array, int(address), self._streams[stream][0])

    def launch(self, kernel: str, threads: tuple[int, int, int], arguments: Sequence[int], stream: int) -> None:
        """See `Cuda.launch`."""
        values = [np.uintp(value) if isinstance(value, Address) else np.int32(value) for value in arguments]
        self._module.get_function(kernel)(
            *values, grid=blocks(threads), block=(*BLOCK, 1), stream=self._streams[stream][0]
        )

    def record(self, work: Callable[[], None], stream: int, kept: ExitStack) -> Callable[[], None]:
        """See `Cuda.record`."""
        work()
        self.wait(stream)
        return work

    def wait(self, stream: int) -> None:
        """See `Cuda.wait`."""
        queue, event = self._streams[stream]
        event.record(queue)
        event.synchronize()

    def close(self) -> None:
        """See `Cuda.close`."""
        with self.active():
            self._module = None
        self._context.detach()


def _compiled(architecture: str) -> bytes:
    """Returns the kernels' machine code; pycuda keeps it, by source, options and version of nvcc."""
    try:
        return pycuda.compiler.compile(
            KERNELS.read_text(encoding="utf-8"), options=["--fmad=false"], no_extern_c=True, arch=architecture
        )
    except OSError as error:
        raise EngineError(
            "pycuda compiles with nvcc, which is not on the PATH: export PATH=/usr/local/cuda/bin:$PATH, "
            "or pip install cuda-bindings nvidia-cuda-nvrtc"
        ) from error


@contextmanager
def _explained() -> Iterator[None]:
    """Turns what pycuda raises into an EngineError of one line."""
    try:
        yield
    except pycuda.driver.Error as error:
        said = str(error).strip().partition("\n")[0]
        full = isinstance(error, pycuda.driver.MemoryError)
        raise refusal(said, type(error).__name__, out_of_memory=full) from error
