"""One frame's place on the GPU: a stream, buffers, and an execution context of its own.

    pinned frame -> upload -> fit -> network -> tail -> download -> pinned result

is recorded once a frame size and replayed with one call, a CUDA graph where the driver has them. The logits and the
prototypes never leave the GPU. A slot belongs to whoever holds its ticket (`edgeseg.runtime.gpu.segmenter`), so that no two
threads touch one stream. Never run on a GPU by its authors: the tests run it over the kernels compiled for the CPU.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.cutouts import Cutouts
from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.runtime.engine import Engine
from edgeseg.runtime.gpu.cuda import Address, Cuda
from edgeseg.runtime.gpu.kernel_tables import column_taps, places, row_taps
from edgeseg.vision.instances import MOST, choose, seen
from edgeseg.vision.overlay import blend_tables


class Run(NamedTuple):
    """A network bound to buffers and a stream. enqueue: puts it on the stream. recordable: it may be recorded."""

    enqueue: Callable[[], None]
    recordable: bool


class GpuEngine(Engine, Protocol):
    """An engine that reads and writes the GPU's memory. outputs: name -> shape, all float32."""

    cuda: Cuda
    outputs: dict[str, tuple[int, ...]]

    def bind(self, addresses: Mapping[str, Address], stream: int) -> Run:
        """Returns the network, reading "image" and writing its outputs at these addresses. Raises EngineError."""
        ...


class Slot(ABC):
    """See the module. Raises EngineError where the GPU has no memory for it."""

    def __init__(self, bundle: Bundle, engine: GpuEngine) -> None:
        self.bundle, self.cuda = bundle, engine.cuda
        self.shapes = engine.outputs
        self._size = (0, 0)
        self._sized = ExitStack()
        with self.cuda.active(), ExitStack() as kept:
            self.stream = self.cuda.stream(kept)
            self._fitted = self.cuda.allocate(bundle.height * bundle.width * 3, kept)
            self.outputs = {name: self.cuda.allocate(4 * prod(shape), kept) for name, shape in self.shapes.items()}
            self._network = engine.bind({"image": self._fitted, **self.outputs}, self.stream)
            self._open(kept)
            self._kept = kept.pop_all()

    def submit(self, image: NDArray[np.uint8]) -> None:
        """Puts a frame, uint8 [H, W, 3] BGR, on its way and returns at once."""
        with self.cuda.active():
            # A frame that nobody waited for may still be on its way.
            self.cuda.wait(self.stream)
            if image.shape[:2] != self._size:
                self._resize(*image.shape[:2])
            np.copyto(self._frame, image)
            self._replay()

    @abstractmethod
    def collect(self) -> Masks:
        """Waits for the frame that was submitted last and returns its masks, which are the caller's own."""

    def close(self) -> None:
        """Waits for what is on its way, and gives the memory back."""
        with self.cuda.active():
            self.cuda.wait(self.stream)
            self._sized.close()
            del self._network
            self._kept.close()

    @abstractmethod
    def _open(self, kept: ExitStack) -> None:
        """Allocates what the tail needs at any frame size."""

    @abstractmethod
    def _prepare(self, height: int, width: int, kept: ExitStack) -> None:
        """Allocates what the tail needs at one frame size."""

    @abstractmethod
    def _tail(self) -> None:
        """Puts on the stream what follows the network."""

    def _table(self, table: NDArray[Any], kept: ExitStack) -> Address:
        """Returns a copy of an array in the GPU's memory."""
        pinned = self.cuda.pinned(table.shape, table.dtype, kept)
        pinned[:] = table
        address = self.cuda.allocate(pinned.nbytes, kept)
        self.cuda.upload(address, pinned, self.stream)
        return address

    def _resize(self, height: int, width: int) -> None:
        # A camera keeps its size: so one size's buffers are kept, and no more.
        self._size = (0, 0)
        self._sized.close()
        with ExitStack() as kept:
            self._frame = self.cuda.pinned((height, width, 3), np.uint8, kept)
            self._uploaded = self.cuda.allocate(self._frame.nbytes, kept)
            self._rows = self._table(row_taps(height, self.bundle.height), kept)
            self._columns = self._table(column_taps(width, self.bundle.width), kept)
            self._prepare(height, width, kept)
            record = self.cuda.record if self._network.recordable else _unrecorded
            self._replay = record(self._work, self.stream, kept)
            self.cuda.wait(self.stream)
            self._sized = kept.pop_all()
        self._size = (height, width)

    def _work(self) -> None:
        height, width = self.bundle.height, self.bundle.width
        self.cuda.upload(self._uploaded, self._frame, self.stream)
        fit = (self._uploaded, self._frame.shape[1], self._rows, self._columns, self._fitted, height, width)
        self.cuda.launch("fit", (width, height, 1), fit, self.stream)
        self._network.enqueue()
        self._tail()


class SemanticSlot(Slot):
    """Comes back with the label map alone."""

    def collect(self) -> SemanticMask:
        """See `Slot.collect`."""
        with self.cuda.active():
            self.cuda.wait(self.stream)
        return SemanticMask(self._labels.copy(), self.bundle.classes)

    def paint(self, opacity: float) -> NDArray[np.uint8]:
        """Returns the frame that was submitted last, painted as by `edgeseg.vision.overlay.paint`: uint8 [H, W, 3] BGR."""
        height, width = self._labels.shape
        with self.cuda.active(), ExitStack() as kept:
            painted = self.cuda.pinned(self._frame.shape, np.uint8, kept)
            there = self.cuda.allocate(painted.nbytes, kept)
            colours, alphas = (self._table(table, kept) for table in blend_tables(self.bundle.palette, opacity, True))
            arguments = (self._uploaded, self._labelled, colours, alphas, there, height, width)
            self.cuda.launch("paint", (width, height, 1), arguments, self.stream)
            self.cuda.download(painted, there, self.stream)
            self.cuda.wait(self.stream)
            return painted.copy()

    def _open(self, kept: ExitStack) -> None:
        """All that it needs is of the frame's size."""

    def _prepare(self, height: int, width: int, kept: ExitStack) -> None:
        _, _, rows, columns = self.shapes["logits"]
        self._row_places = self._table(places(rows, height), kept)
        self._column_places = self._table(places(columns, width), kept)
        self._labels = self.cuda.pinned((height, width), np.uint8, kept)
        self._labelled = self.cuda.allocate(self._labels.nbytes, kept)

    def _tail(self) -> None:
        _, classes, rows, columns = self.shapes["logits"]
        height, width = self._labels.shape
        tables = (self._row_places, self._column_places)
        arguments = (self.outputs["logits"], classes, rows, columns, *tables, self._labelled, height, width)
        self.cuda.launch("label", (width, height, 1), arguments, self.stream)
        self.cuda.download(self._labels, self._labelled, self.stream)


class InstanceSlot(Slot):
    """Comes back with boxes and scores; the few that stay are chosen on the host, and their masks made on the GPU."""

    def collect(self) -> InstanceMasks:
        """See `Slot.collect`."""
        with self.cuda.active():
            self.cuda.wait(self.stream)
            height, width = self._size
            candidates = choose(self._boxes, self._scores, height, width)
            things = seen(candidates, self._assemble(candidates.anchors, candidates.windows))
        kept = Cutouts(things.windows, things.cutouts, height, width)
        return InstanceMasks(kept, things.boxes, things.scores, things.labels, self.bundle.classes)

    def _open(self, kept: ExitStack) -> None:
        _, _, rows, columns = self.shapes["prototypes"]
        self._boxes = self.cuda.pinned(self.shapes["boxes"][1:], np.float32, kept)
        self._scores = self.cuda.pinned(self.shapes["scores"][1:], np.float32, kept)
        self._things = self.cuda.pinned((MOST, 6), np.int32, kept)
        self._things_there = self.cuda.allocate(self._things.nbytes, kept)
        self._values = self.cuda.allocate(4 * MOST * rows * columns, kept)
        self._masks = np.empty(0, dtype=np.bool_)
        self._masks_kept = kept.enter_context(ExitStack())

    def _prepare(self, height: int, width: int, kept: ExitStack) -> None:
        _, _, rows, columns = self.shapes["prototypes"]
        self._row_places = self._table(places(rows, height), kept)
        self._column_places = self._table(places(columns, width), kept)

    def _tail(self) -> None:
        self.cuda.download(self._boxes, self.outputs["boxes"], self.stream)
        self.cuda.download(self._scores, self.outputs["scores"], self.stream)

    def _assemble(self, anchors: NDArray[np.int64], windows: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
        """Returns the masks inside their windows, N of bool [y1 - y0, x1 - x0]; see `edgeseg.vision.instances.assemble`."""
        sizes = windows[:, 2:] - windows[:, :2]
        ends = np.cumsum(sizes.prod(axis=1))
        if not len(ends) or not ends[-1]:
            return [np.zeros((rows, columns), dtype=bool) for columns, rows in sizes.tolist()]
        count, total = len(anchors), int(ends[-1])
        self._make_room(total)
        self._things[:count, 0], self._things[:count, 1:5] = anchors, windows
        self._things[:count, 5] = ends - sizes.prod(axis=1)
        self.cuda.upload(self._things_there, self._things, self.stream)
        _, prototypes, rows, columns = self.shapes["prototypes"]
        tables = (self._things_there, self._row_places, self._column_places)
        sources = (self.outputs["coefficients"], self.outputs["prototypes"], prototypes, rows, columns)
        self.cuda.launch("combine", (columns, rows, count), (*sources, *tables, self._values), self.stream)
        widest, highest = (int(side) for side in sizes.max(axis=0))
        self.cuda.launch(
            "assemble",
            (widest, highest, count),
            (self._values, rows, columns, *tables, self._masks_there),
            self.stream,
        )
        self.cuda.download(self._masks[:total], self._masks_there, self.stream)
        self.cuda.wait(self.stream)
        parts = np.split(self._masks[:total].copy(), ends[:-1])
        return [part.reshape(rows, columns) for part, (columns, rows) in zip(parts, sizes.tolist(), strict=True)]

    def _make_room(self, total: int) -> None:
        if total > len(self._masks):
            self._masks_kept.close()
            room = 1 << (total - 1).bit_length()
            self._masks = self.cuda.pinned((room,), np.bool_, self._masks_kept)
            self._masks_there = self.cuda.allocate(room, self._masks_kept)


def _unrecorded(work: Callable[[], None], stream: int, kept: ExitStack) -> Callable[[], None]:
    return work
