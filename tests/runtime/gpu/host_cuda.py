"""`edgeseg.runtime.gpu.cuda.Cuda` on the CPU: the kernels compiled with g++, everything else as late as a GPU may do it.

What is put on a stream is done when somebody waits for the stream and not before, so that a forgotten wait shows; calls
outside `active` fail, as they do on a GPU; and what was not let go of can be counted.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.runtime.gpu.cuda import BLOCK, KERNELS, Address, Cuda, blocks
from edgeseg.runtime.gpu.slot import Run
from edgeseg.runtime.ort import OnnxRuntimeEngine


class Index(ctypes.Structure):
    """Index of kernels_on_cpu.cpp."""

    _fields_ = [(axis, ctypes.c_uint) for axis in "xyz"]


def compile_kernels(folder: Path) -> ctypes.CDLL:
    """Compiles kernels.cu as plain C++; skips the test where g++ is missing."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    library = folder / "kernels.so"
    source = Path(__file__).with_name("kernels_on_cpu.cpp")
    flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", f"-I{KERNELS.parent}"]
    subprocess.run(["g++", *flags, str(source), "-o", str(library)], check=True)
    return ctypes.CDLL(str(library))


class HostCuda:
    """See the module. alive: how many things were given out and not let go of."""

    name = "host"
    device = "the CPU"

    def __init__(self, kernels: ctypes.CDLL) -> None:
        self.versions: dict[str, str] = {}
        self.alive = 0
        self.closed = False
        self._kernels = kernels
        self._streams: dict[int, list[Callable[[], None]]] = {}
        self._current = threading.local()

    @contextmanager
    def active(self) -> Iterator[None]:
        self._current.depth = self._depth + 1
        try:
            yield
        finally:
            self._current.depth -= 1

    def stream(self, kept: ExitStack) -> int:
        self._give_out(kept)
        handle = len(self._streams) + 1
        self._streams[handle] = []
        return handle

    def allocate(self, size: int, kept: ExitStack) -> Address:
        memory = np.full(size, 0xA5, dtype=np.uint8)
        self._give_out(kept)
        # The closure holds the memory as long as it is given out.
        kept.callback(lambda: memory.fill(0x5A))
        return Address(memory.ctypes.data)

    def pinned(self, shape: Sequence[int], dtype: DTypeLike, kept: ExitStack) -> NDArray[Any]:
        array = np.full(prod(shape) * np.dtype(dtype).itemsize, 0xA5, dtype=np.uint8)
        self._give_out(kept)
        kept.callback(lambda: array.fill(0x5A))
        return array.view(dtype).reshape(shape)

    def upload(self, address: Address, array: NDArray[Any], stream: int) -> None:
        assert isinstance(address, Address)
        self.put(stream, lambda: ctypes.memmove(int(address), array.ctypes.data, array.nbytes))

    def download(self, array: NDArray[Any], address: Address, stream: int) -> None:
        assert isinstance(address, Address)
        self.put(stream, lambda: ctypes.memmove(array.ctypes.data, int(address), array.nbytes))

    def launch(self, kernel: str, threads: tuple[int, int, int], arguments: Sequence[int], stream: int) -> None:
        values = [
            ctypes.c_void_p(int(value)) if isinstance(value, Address) else ctypes.c_int(value) for value in arguments
        ]
        packed = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        grid, block = Index(*blocks(threads)), Index(*BLOCK, 1)

        def run(values: list[Any] = values) -> None:
            self._kernels[f"{kernel}_on_cpu"](grid, block, packed)

        self.put(stream, run)

    def record(self, work: Callable[[], None], stream: int, kept: ExitStack) -> Callable[[], None]:
        work()
        self.wait(stream)
        work()
        recorded, self._streams[stream] = self._streams[stream], []
        self._give_out(kept)
        return lambda: self._streams[stream].extend(recorded)

    def wait(self, stream: int) -> None:
        assert self._depth, "no context is current"
        while self._streams[stream]:
            self._streams[stream].pop(0)()

    def close(self) -> None:
        self.closed = True

    def put(self, stream: int, work: Callable[[], Any]) -> None:
        """Leaves a piece of work for the next `wait`."""
        assert self._depth, "no context is current"
        self._streams[stream].append(work)

    @property
    def _depth(self) -> int:
        return getattr(self._current, "depth", 0)

    def _give_out(self, kept: ExitStack) -> None:
        assert self._depth, "no context is current"
        self.alive += 1
        kept.callback(self._take_back)

    def _take_back(self) -> None:
        assert self._depth, "no context is current"
        self.alive -= 1


class HostEngine(OnnxRuntimeEngine):
    """`edgeseg.runtime.gpu.slot.GpuEngine` with ONNX Runtime for a network and `HostCuda` for a GPU."""

    def __init__(self, bundle: Bundle, cuda: HostCuda, recordable: bool = True) -> None:
        super().__init__(bundle.file("model.fp32.onnx"), precision="fp32", threads=1, reason="a test")
        self.cuda: Cuda = cuda
        self._host = cuda
        self.outputs = {output.name: tuple(output.shape) for output in self._session.get_outputs()}
        self._size = (bundle.height, bundle.width, 3)
        self._recordable = recordable

    def bind(self, addresses: Mapping[str, Address], stream: int) -> Run:
        def run() -> None:
            image = np.ctypeslib.as_array((ctypes.c_uint8 * prod(self._size)).from_address(addresses["image"]))
            for name, answer in self.infer(image.reshape(self._size)).items():
                contiguous = np.ascontiguousarray(answer)
                ctypes.memmove(int(addresses[name]), contiguous.ctypes.data, contiguous.nbytes)

        return Run(lambda: self._host.put(stream, run), self._recordable)

    def close(self) -> None:
        super().close()
        self.cuda.close()
