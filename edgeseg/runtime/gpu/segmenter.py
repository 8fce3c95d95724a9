"""A network at work on a GPU: fit, network and tail are one piece of work, and three frames may be on their way at once.

While the GPU computes a frame, the next one is copied to it and the last one's masks are read. Nothing above knows: the
stages are "launch", which returns a ticket at once, and "engine", which waits for it. Never run on a GPU by its authors:
the tests run it over the kernels compiled for the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.masks import InstanceMasks, SemanticMask
from edgeseg.runtime.gpu.slot import GpuEngine, InstanceSlot, SemanticSlot, Slot
from edgeseg.runtime.instances import InstanceSegmenter
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.runtime.stage import Stage
from edgeseg.vision.fit import check_image

SLOTS = 3
"""A paused loop holds two tickets, one in each of its threads' hands: the third keeps a call beside it from waiting."""


class Ticket:
    """A frame on the GPU. Its slot is free again as soon as nobody holds the ticket: also where the loop dropped it."""

    def __init__(self, slot: Slot, free: SimpleQueue[Slot]) -> None:
        self.slot, self._free = slot, free

    def __del__(self) -> None:
        self._free.put(self.slot)


class Slots:
    """The slots of a segmenter, handed out one a frame. Raises EngineError where the GPU has no memory for them."""

    def __init__(self, make: Callable[[], Slot]) -> None:
        self._free: SimpleQueue[Slot] = SimpleQueue()
        with ExitStack() as kept:
            for _ in range(SLOTS):
                slot = make()
                kept.callback(slot.close)
                self._free.put(slot)
            self._kept = kept.pop_all()

    def submit(self, image: NDArray[np.uint8]) -> Ticket:
        """Puts a frame on its way, as soon as a slot is free. Raises UsageError for anything but a uint8 [H, W, 3] array."""
        check_image(image)
        ticket = Ticket(self._free.get(), self._free)
        ticket.slot.submit(image)
        return ticket

    def close(self) -> None:
        """Waits for what is on its way, and gives the GPU's memory back."""
        self._kept.close()


class GpuSemanticSegmenter(SemanticSegmenter):
    """A semantic network on a GPU engine; only labels come back."""

    def __init__(self, bundle: Bundle, engine: GpuEngine) -> None:
        super().__init__(bundle, engine)
        self._slots = Slots(lambda: SemanticSlot(bundle, engine))
        self.stages = (Stage("launch", self._slots.submit), Stage("engine", self._collect))

    def __enter__(self) -> GpuSemanticSegmenter:
        return self

    def __call__(self, image: NDArray[np.uint8]) -> SemanticMask:
        """See `SemanticSegmenter`."""
        return self._collect(self._slots.submit(image))

    def painted(self, image: NDArray[np.uint8], opacity: float = 0.5) -> tuple[SemanticMask, NDArray[np.uint8]]:
        """Returns the masks of an image, and the image painted with them as by `edgeseg.vision.overlay.paint`, by the GPU."""
        ticket = self._slots.submit(image)
        masks = self._collect(ticket)
        assert isinstance(ticket.slot, SemanticSlot)
        return masks, ticket.slot.paint(opacity)

    def close(self) -> None:
        """Gives the GPU's memory back, and closes the engine."""
        self._slots.close()
        super().close()

    def _collect(self, ticket: Ticket) -> SemanticMask:
        masks = ticket.slot.collect()
        assert isinstance(masks, SemanticMask)
        return masks


class GpuInstanceSegmenter(InstanceSegmenter):
    """An instance network on a GPU engine; boxes, scores and masks come back."""

    def __init__(self, bundle: Bundle, engine: GpuEngine) -> None:
        super().__init__(bundle, engine)
        self._slots = Slots(lambda: InstanceSlot(bundle, engine))
        self.stages = (Stage("launch", self._slots.submit), Stage("engine", self._collect))

    def __enter__(self) -> GpuInstanceSegmenter:
        return self

    def __call__(self, image: NDArray[np.uint8]) -> InstanceMasks:
        """See `InstanceSegmenter`."""
        return self._collect(self._slots.submit(image))

    def close(self) -> None:
        """Gives the GPU's memory back, and closes the engine."""
        self._slots.close()
        super().close()

    def _collect(self, ticket: Ticket) -> InstanceMasks:
        masks = ticket.slot.collect()
        assert isinstance(masks, InstanceMasks)
        return masks
