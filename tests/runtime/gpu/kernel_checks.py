"""What every kernel must compute, whatever it runs on: its twin in edgeseg/vision, on every pixel."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from edgeseg.runtime.gpu.cuda import Address, Cuda
from edgeseg.runtime.gpu.kernel_tables import column_taps, places, row_taps
from edgeseg.vision.bilinear import axis
from edgeseg.vision.decode import decode
from edgeseg.vision.fit import stretch
from edgeseg.vision.instances import assemble
from edgeseg.vision.overlay import blend_tables, paint


class Bench:
    """A stream, with arrays that go to the GPU and come back."""

    def __init__(self, cuda: Cuda, kept: ExitStack) -> None:
        self.cuda, self.kept = cuda, kept
        self.stream = cuda.stream(kept)

    def up(self, array: NDArray[Any]) -> Address:
        pinned = self.cuda.pinned(array.shape, array.dtype, self.kept)
        pinned[...] = array
        address = self.cuda.allocate(array.nbytes, self.kept)
        self.cuda.upload(address, pinned, self.stream)
        return address

    def run(
        self,
        kernel: str,
        threads: tuple[int, int, int],
        arguments: list[Any],
        shape: tuple[int, ...],
        dtype: DTypeLike = np.uint8,
    ) -> NDArray[Any]:
        """Runs a kernel; `...` among its arguments stands for its result, of this shape."""
        result = self.cuda.pinned(shape, dtype, self.kept)
        result.view(np.uint8).fill(0xEE)
        address = self.up(result)
        given = [
            address if value is ... else self.up(value) if isinstance(value, np.ndarray) else value
            for value in arguments
        ]
        self.cuda.launch(kernel, threads, given, self.stream)
        self.cuda.download(result, address, self.stream)
        self.cuda.wait(self.stream)
        return result.copy()


def check_fit(cuda: Cuda, image: NDArray[np.uint8], height: int, width: int) -> None:
    """The fitted image is `stretch`'s, byte for byte."""
    with cuda.active(), ExitStack() as kept:
        taps = row_taps(image.shape[0], height), column_taps(image.shape[1], width)
        arguments = [image, image.shape[1], *taps, ..., height, width]
        fitted = Bench(cuda, kept).run("fit", (width, height, 1), arguments, (height, width, 3))
    np.testing.assert_array_equal(fitted, stretch(image, width, height))


def check_label(cuda: Cuda, logits: NDArray[np.float32], height: int, width: int) -> int:
    """The labels are `decode`'s but where rounding decides between two classes; returns at how many pixels it did."""
    classes, rows, columns = logits.shape
    with cuda.active(), ExitStack() as kept:
        tables = places(rows, height), places(columns, width)
        arguments = [logits, classes, rows, columns, *tables, ..., height, width]
        labels = Bench(cuda, kept).run("label", (width, height, 1), arguments, (height, width))
    expected = decode(logits, height, width)
    y, x = np.nonzero(labels != expected)
    lead = upsampled(logits, expected[y, x], y, x, height, width) - upsampled(logits, labels[y, x], y, x, height, width)
    assert np.abs(lead).max(initial=0) <= 2e-6 * max(1.0, float(np.abs(logits).max()))
    return len(y)


def upsampled(logits: NDArray[np.float32], c: Any, y: Any, x: Any, height: int, width: int) -> NDArray[np.float64]:
    """The bilinear upsample of logits, in double precision, of classes c at pixels y, x."""
    _, row, down = axis(logits.shape[1], height)
    _, column, right = axis(logits.shape[2], width)
    exact, v, h = logits.astype(np.float64), down[y].astype(np.float64), right[x].astype(np.float64)
    below, beside = np.minimum(row[y] + 1, logits.shape[1] - 1), np.minimum(column[x] + 1, logits.shape[2] - 1)
    west = exact[c, row[y], column[x]] * (1 - v) + exact[c, below, column[x]] * v
    east = exact[c, row[y], beside] * (1 - v) + exact[c, below, beside] * v
    return west * (1 - h) + east * h


def check_masks(
    cuda: Cuda,
    prototypes: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    windows: NDArray[np.int64],
    size: tuple[int, int],
) -> None:
    """The masks of things are `assemble`'s on every pixel. Each thing's anchor is its place from the end."""
    count, rows, columns = prototypes.shape
    things = np.empty((len(windows), 6), dtype=np.int32)
    sizes = windows[:, 2:] - windows[:, :2]
    things[:, 0] = np.arange(len(windows))[::-1]
    things[:, 1:5] = windows
    things[:, 5] = np.cumsum(sizes.prod(axis=1)) - sizes.prod(axis=1)
    tables = [things, places(rows, size[0]), places(columns, size[1])]
    n, total = len(windows), int(sizes.prod(axis=1).sum())
    with cuda.active(), ExitStack() as kept:
        bench = Bench(cuda, kept)
        network = [np.ascontiguousarray(coefficients[::-1]), prototypes, count, rows, columns]
        values = bench.run("combine", (columns, rows, n), [*network, *tables, ...], (n, rows, columns), np.float32)
        widest, highest = (int(side) for side in sizes.max(axis=0))
        masks = bench.run("assemble", (widest, highest, n), [values, rows, columns, *tables, ...], (total,))
    expected = assemble(coefficients, prototypes, windows, *size)
    assert set(np.unique(masks)) <= {0, 1}
    np.testing.assert_array_equal(masks.astype(bool), np.concatenate([mask.ravel() for mask in expected]))


def check_paint(cuda: Cuda, image: NDArray[np.uint8], labels: NDArray[np.uint8], palette: Any, opacity: float) -> None:
    """The painted picture is `paint`'s, byte for byte."""
    colours, alphas = blend_tables(tuple(tuple(int(v) for v in row) for row in palette), opacity, True)
    height, width = labels.shape
    with cuda.active(), ExitStack() as kept:
        arguments = [image, labels, colours, alphas, ..., height, width]
        painted = Bench(cuda, kept).run("paint", (width, height, 1), arguments, image.shape)
    np.testing.assert_array_equal(painted, paint(image, labels, palette, opacity))
