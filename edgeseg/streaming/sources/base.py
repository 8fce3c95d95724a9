"""What all sources share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

import numpy as np

from edgeseg.core.result import Frame

S = TypeVar("S", bound="BaseSource")


class BaseSource(ABC):
    """The defaults of the Source protocol, and the `with` block.

    fps: frames a second that the source claims, or None where it does not say.
    frames: how many frames to expect, or None where it does not say or does not end.
    """

    address: str
    live: bool = False
    status: str = ""
    fps: float | None = None
    frames: int | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def damaged_frame(index: int, captured_ns: int, source: str, damage: str) -> Frame:
    """Returns a frame without a picture (one black pixel): what could not be read is counted, not passed over."""
    return Frame(np.zeros((1, 1, 3), np.uint8), index, captured_ns, source, damage=damage)
