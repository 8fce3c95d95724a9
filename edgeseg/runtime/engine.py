"""What an inference engine is: the bundle's graph on some processor, arrays in and out."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.result import EngineInfo


class Engine(Protocol):
    """Runs one graph at one precision. Opened by its constructor; used by one thread at a time."""

    info: EngineInfo

    def infer(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Returns the graph's outputs by name for one image, uint8 [height, width, 3] BGR at the graph's own size.

        The arrays are the engine's own buffers, valid until the next `infer`: copy what must outlive it.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
