"""CUDA as far as edgeseg uses it: memory, streams, the kernels of `kernels.cu`, and work recorded once and replayed.

Two drivers stand behind one interface: NVIDIA's `cuda.bindings`, which records CUDA graphs, and `pycuda`, which has none and
is what JetPack's users have. Both retain the device's primary context, the one that TensorRT and torch use too, and make
it current around every use, so that any thread may use it; a context of one's own, or one pushed on a single thread
alone, ends in "invalid resource handle". Whatever is given out is given against an ExitStack, which lets go of it.
None of this was ever run on a GPU by its authors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray

from edgeseg.core.errors import EngineError

KERNELS = Path(__file__).with_name("kernels.cu")
BLOCK = (32, 8)
"""Threads of a block, x and y: a warp lies along a row, so that it reads and writes neighbours."""


class Address(int):
    """Where something lies in the GPU's memory. A kernel takes it as a pointer, and any other int as an int."""


class Cuda(Protocol):
    """The first GPU. Everything but `active` and `close` is to be called inside `with cuda.active():`.

    name: of the driver's package. device: the GPU's name. versions: package -> version. Every call raises EngineError, in
    one line, for what the GPU refuses, memory above all; work on a stream fails at the next call on it.
    """

    name: str
    device: str
    versions: dict[str, str]

    def active(self) -> AbstractContextManager[None]:
        """Makes the GPU's primary context current for the calling thread, inside the block."""
        ...

    def stream(self, kept: ExitStack) -> int:
        """Returns a new stream: what is put on it is done in order, and beside what is on other streams."""
        ...

    def allocate(self, size: int, kept: ExitStack) -> Address:
        """Returns so many bytes of the GPU's memory."""
        ...

    def pinned(self, shape: Sequence[int], dtype: DTypeLike, kept: ExitStack) -> NDArray[Any]:
        """Returns an array in page-locked memory of the host, which the GPU copies to and from by itself."""
        ...

    def upload(self, address: Address, array: NDArray[Any], stream: int) -> None:
        """Copies a C-contiguous array to the GPU. It must be pinned, and stay as it is until the stream is done."""
        ...

    def download(self, array: NDArray[Any], address: Address, stream: int) -> None:
        """Copies from the GPU into a C-contiguous, pinned array."""
        ...

    def launch(self, kernel: str, threads: tuple[int, int, int], arguments: Sequence[int], stream: int) -> None:
        """Runs a kernel of `kernels.cu` for at least so many threads in x, y and z."""
        ...

    def record(self, work: Callable[[], None], stream: int, kept: ExitStack) -> Callable[[], None]:
        """Does a piece of work once, and returns what does it again: as a CUDA graph, one call, where the driver has them.

        work: puts things on the stream, always the same ones, and does nothing else.
        """
        ...

    def wait(self, stream: int) -> None:
        """Sleeps until all that was put on the stream is done; other threads run meanwhile."""
        ...

    def close(self) -> None:
        """Lets go of the context. What was given out must have been let go before."""
        ...


def blocks(threads: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns how many blocks of `BLOCK` cover so many threads, in x, y and z."""
    return -(-threads[0] // BLOCK[0]), -(-threads[1] // BLOCK[1]), threads[2]


def refusal(name: str, meaning: str, *, out_of_memory: bool) -> EngineError:
    """Returns the one line for what the GPU refused; name and meaning: as the driver says them."""
    if out_of_memory:
        return EngineError(
            f"the GPU's memory is used up ({name}): close what else uses it, or take a smaller model or --engine onnxruntime"
        )
    return EngineError(f"the GPU refused: {name} ({meaning}); restart the program, or take --engine onnxruntime")
