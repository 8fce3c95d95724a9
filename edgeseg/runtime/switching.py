"""One model in the place of another while the loop runs, between two frames and without losing one."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import catalog
from edgeseg.core.errors import BundleError, MissingPackageError, UsageError
from edgeseg.core.masks import Masks
from edgeseg.core.result import EngineInfo
from edgeseg.runtime.choose import PRECISIONS, choose
from edgeseg.runtime.stage import Segmenter, Stage


@dataclass(frozen=True)
class _Going:
    """A frame's value on its way, with the segmenter that it began with and so must end with."""

    segmenter: Segmenter
    value: Any


class SwitchableSegmenter:
    """A segmenter whose stages do the work of the current one; it owns all that it is given.

    bundle, engine: of what made the newest masks.

    A frame ends with the segmenter that it began with. Frames keep their order, so the first one of a new segmenter that
    arrives proves that none of an earlier one is on its way any more: then those are closed.
    """

    def __init__(self, first: Segmenter) -> None:
        self._lock = Lock()
        self._opened = [first]  # The first has made the newest masks, the last gets the next frame.
        self.bundle: Bundle = first.bundle
        self.engine: EngineInfo = first.engine
        self.stages = tuple(Stage(stage.name, partial(self._run, place)) for place, stage in enumerate(first.stages))

    def switch(self, opened: Segmenter) -> None:
        """Has the next frame, and those behind it, segmented by `opened`. May be called from any thread.

        Raises UsageError for a segmenter of another task, which it then closes: what follows things, and what shows them,
        was made for this one.
        """
        with self._lock:
            if opened.bundle.task == self.bundle.task:
                self._opened.append(opened)
                return
        opened.close()
        raise UsageError(
            f"{opened.bundle.name} finds {opened.bundle.task}: start anew with --model {opened.bundle.name}"
        )

    def __call__(self, image: NDArray[np.uint8]) -> Masks:
        """See `Segmenter`."""
        value: Any = image
        for stage in self.stages:
            value = stage.run(value)
        return value

    def close(self) -> None:
        """Closes every segmenter that is still open."""
        for segmenter in self._opened:
            segmenter.close()

    def __enter__(self) -> SwitchableSegmenter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, place: int, value: Any) -> Any:
        going = value if place else _Going(self._opened[-1], value)
        value = going.value
        for stage, where in zip(going.segmenter.stages, self._places(going.segmenter), strict=True):
            if where == place:
                value = stage.run(value)
        if place < len(self.stages) - 1:
            return replace(going, value=value)
        self._arrived(going.segmenter)
        return value

    def _places(self, segmenter: Segmenter) -> list[int]:
        """Where each stage of a segmenter runs: in the stage of its name, else with the one before it."""
        names = [stage.name for stage in self.stages]
        places: list[int] = []
        for stage in segmenter.stages:
            before = places[-1] if places else 0
            places.append(max(before, names.index(stage.name)) if stage.name in names else before)
        return places

    def _arrived(self, segmenter: Segmenter) -> None:
        if segmenter is self._opened[0]:
            return
        with self._lock:
            place = self._opened.index(segmenter)
            earlier, self._opened = self._opened[:place], self._opened[place:]
        self.bundle, self.engine = segmenter.bundle, segmenter.engine
        for old in earlier:
            old.close()


def alternatives(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """Returns the models in reach that may take this one's place, itself among them -> the precisions that run here.

    They have its task, classes and palette, so that what was opened for it (a recording, a legend) stays right.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, path in sorted({**catalog(), bundle.name: bundle.path}.items()):
        with contextlib.suppress(BundleError):
            other = Bundle.open(path)
            if (other.task, other.classes, other.palette) == (bundle.task, bundle.classes, bundle.palette):
                found[name] = tuple(precision for precision in PRECISIONS if _runs(other, precision))
    return found


def _runs(bundle: Bundle, precision: str) -> bool:
    try:
        choose(bundle, "auto", precision)
    except (UsageError, MissingPackageError):
        return False
    return True
