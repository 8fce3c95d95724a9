"""What every reader of a data set gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Sample = tuple[str, NDArray[np.uint8], NDArray[np.uint8]]
"""name, image uint8 [H, W, 3] BGR, labels uint8 [H, W] with 255 where nothing is judged."""


class Samples(Protocol):
    """A split of a data set, read on demand.

    classes, palette (RGB): by id. terms: under which terms its images may be used.
    """

    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    terms: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
