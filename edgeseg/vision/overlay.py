"""Painting: masks over the picture, each class in its colour, with a bright line where one class meets another.

Blending is `round((picture * (255 - alpha) + colour * alpha) / 255)` in 16-bit integers, exact for every value, so that
alpha 255 is the colour itself and alpha 0 leaves the picture as it was.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import InstanceMasks

UNPAINTED = 255
LINE_OPACITY = 0.85
LINE_WHITE = 0.45
"""A line is its class's colour mixed with this much white, so that it shows on dark and on bright colours."""


def paint(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    palette: ArrayLike,
    opacity: float = 0.5,
    out: NDArray[np.uint8] | None = None,
    *,
    lines: bool = True,
) -> NDArray[np.uint8]:
    """Returns the picture with every pixel tinted in its class's colour.

    image: uint8 [H, W, 3], BGR. labels: uint8 [H, W]; ids of `len(palette)` or more (255 = ignored) stay unpainted.
    palette: [K, 3], RGB, 0..255, K <= 255; what is black, as background is in Pascal VOC's colours, stays unpainted too.
    opacity: 0 (picture) to 1 (flat colour). lines: draw the last pixel of a class, before another class begins on its
    right or below, in a brighter tone and at an opacity of at least 0.85.
    out: uint8 [H, W, 3], C-contiguous, to write into; it may be `image` itself, which takes three times as long.
    Returns uint8 [H, W, 3], BGR. Raises UsageError where picture, labels and out are not of one size.
    """
    out = _checked(image, labels.shape, out)
    colours, alphas = blend_tables(tuple(tuple(int(v) for v in row) for row in np.asarray(palette)), opacity, lines)
    if out.size:
        _paint(np.ascontiguousarray(image), np.ascontiguousarray(labels), colours, alphas, False, out)
    return out


def paint_instances(
    image: NDArray[np.uint8],
    instances: InstanceMasks,
    palette: ArrayLike,
    opacity: float = 0.5,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Returns the picture with every thing tinted and outlined; the surer one lies on top. All else stays as it was.

    image: uint8 [H, W, 3], BGR. palette: [K, 3], RGB by class. The colours are `colours_of`'s. The outline is the
    outermost pixel of what is seen of a thing, painted as the lines of `paint` are. The 255
    surest things are painted. opacity, out, errors: as in `paint`.
    """
    out = _checked(image, (instances.cutouts.height, instances.cutouts.width), out)
    order = np.argsort(instances.scores, kind="stable")[-UNPAINTED:]
    places = np.full(image.shape[:2], UNPAINTED, dtype=np.uint8)
    cutouts = instances.cutouts
    for place, thing in enumerate(order):
        x0, y0, x1, y1 = cutouts.windows[thing]
        np.copyto(places[y0:y1, x0:x1], np.uint8(place), where=cutouts.pixels[thing])
    things = colours_of(instances, palette)
    colours, alphas = blend_tables(tuple(things[thing] for thing in order), opacity, lines=True)
    if out.size:
        _paint(np.ascontiguousarray(image), places, colours, alphas, True, out)
    return out


def colours_of(instances: InstanceMasks, palette: ArrayLike) -> list[tuple[int, int, int]]:
    """Returns the RGB colour of each thing: a tracked one's own, made from its id, without a tracker its class's."""
    if instances.ids is not None:
        return [colour_of_id(int(number)) for number in instances.ids]
    by_class = [(int(red), int(green), int(blue)) for red, green, blue in np.asarray(palette)]
    return [by_class[label] for label in instances.labels]


def colour_of_id(number: int) -> tuple[int, int, int]:
    """Returns a vivid RGB colour for a tracked thing: the same for the same id, and far in hue from its neighbours'."""
    golden = 0.61803398875
    red, green, blue = colorsys.hsv_to_rgb((number * golden) % 1.0, 0.5 + 0.35 * ((number // 5) % 2), 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def compose(image: NDArray[np.uint8], colour: NDArray[np.uint8], alpha: NDArray[np.uint8], left: int, top: int) -> None:
    """Lays a translucent piece onto the picture, in place.

    image: uint8 [H, W, 3], BGR, C-contiguous. colour: uint8 [h, w, 3], BGR. alpha: uint8 [h, w, 3], 0 (clear) to 255.
    left, top: where its corner comes to lie, in pixels; the whole piece must lie inside the picture.
    """
    height, width = colour.shape[:2]
    if min(left, top) < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        raise UsageError(
            f"a piece of {width}x{height} at {left},{top} does not lie inside {image.shape[1]}x{image.shape[0]}"
        )
    _compose(image, colour, alpha, left, top)


def _checked(image: NDArray[np.uint8], size: Sequence[int], out: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if image.shape[:2] != tuple(size):
        raise UsageError(
            f"masks of {size[1]}x{size[0]} don't fit a picture of {image.shape[1]}x{image.shape[0]}: paint them on their own frame"
        )
    if out is None:
        return np.empty(image.shape, dtype=np.uint8)
    if out.shape != image.shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        raise UsageError(f"out must be uint8 {list(image.shape)} and C-contiguous; it is {out.dtype} {list(out.shape)}")
    return out


@lru_cache(maxsize=64)
def blend_tables(
    palette: tuple[tuple[int, ...], ...], opacity: float, lines: bool
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Colour and alpha by label, and from 256 on by label on a line: three equal or B, G, R bytes in a word of four."""
    colours = np.zeros((2, 256, 4), dtype=np.uint8)
    alphas = np.zeros((2, 256, 4), dtype=np.uint8)
    bgr = np.array(palette, dtype=np.float64).reshape(-1, 3)[:, ::-1]
    for kind, white, strength in (
        (0, 0.0, opacity),
        (1, LINE_WHITE if lines else 0.0, max(opacity, LINE_OPACITY) if lines else opacity),
    ):
        colours[kind, : len(bgr), :3] = np.rint(bgr * (1 - white) + 255 * white)
        alphas[kind, : len(bgr), :3] = round(255 * strength) * bgr.any(axis=1, keepdims=True)
    return colours.view("<u4").reshape(512), alphas.view("<u4").reshape(512)


@njit(cache=True, nogil=True)
def _paint(image, labels, colours, alphas, outlined, out):  # pragma: no cover (compiled)
    # Looking colours up doesn't vectorise and blending does: so a row is first laid out as bytes, then blended at once.
    height, width = labels.shape
    entries = np.zeros((width + 3) // 4 * 4, dtype=np.uint16)
    colour = np.empty((width + 3) // 4 * 3, dtype=np.uint32)
    alpha = np.empty((width + 3) // 4 * 3, dtype=np.uint32)
    for y in range(height):
        _entries(labels[y], labels[min(y + 1, height - 1)], entries)
        if outlined:
            _close_lines(labels[y], labels[max(y - 1, 0)], entries)
        _spread(entries, colours, colour)
        _spread(entries, alphas, alpha)
        _blend(image[y].reshape(width * 3), colour.view(np.uint8), alpha.view(np.uint8), out[y].reshape(width * 3))


@njit(cache=True, nogil=True)
def _entries(row, below, entries):  # pragma: no cover (compiled)
    """A label's entry in the tables: + 256 where another label begins on the right or below."""
    last = row.size - 1
    for x in range(last):
        on_line = (row[x] != row[x + 1]) | (row[x] != below[x])
        entries[x] = np.uint16(row[x]) + (np.uint16(256) if on_line else np.uint16(0))
    entries[last] = np.uint16(row[last]) + (np.uint16(256) if row[last] != below[last] else np.uint16(0))


@njit(cache=True, nogil=True)
def _close_lines(row, above, entries):  # pragma: no cover (compiled)
    """Moves to its entry on a line what has another label on its left or above, too."""
    for x in range(1, row.size):
        on_line = (row[x] != row[x - 1]) | (row[x] != above[x])
        entries[x] |= np.uint16(256) if on_line else np.uint16(0)
    entries[0] |= np.uint16(256) if row[0] != above[0] else np.uint16(0)


@njit(cache=True, nogil=True)
def _spread(entries, table, words):  # pragma: no cover (compiled)
    """Four pixels of three bytes make three words of four: one look-up and one store a pixel, about."""
    for quad in range(entries.size // 4):
        a = table[entries[4 * quad]]
        b = table[entries[4 * quad + 1]]
        c = table[entries[4 * quad + 2]]
        d = table[entries[4 * quad + 3]]
        words[3 * quad] = a | (b << np.uint32(24))
        words[3 * quad + 1] = (b >> np.uint32(8)) | (c << np.uint32(16))
        words[3 * quad + 2] = (c >> np.uint32(16)) | (d << np.uint32(8))


@njit(cache=True, nogil=True)
def _compose(image, colour, alpha, left, top):  # pragma: no cover (compiled)
    height, width, _ = colour.shape
    blended = np.empty(width * 3, dtype=np.uint8)
    for y in range(height):
        row = image[top + y].reshape(image.shape[1] * 3)[left * 3 : (left + width) * 3]
        _blend(row, colour[y].reshape(width * 3), alpha[y].reshape(width * 3), blended)
        for i in range(width * 3):
            row[i] = blended[i]


@njit(cache=True, nogil=True)
def _blend(picture, colour, alpha, out):  # pragma: no cover (compiled)
    """Vectorises only where `out` is an array of its own."""
    for i in range(out.size):
        a = np.uint16(alpha[i])
        # (v + 128 + (v + 128 >> 8)) >> 8 is v / 255, rounded, for every v a blend can give.
        v = np.uint16(np.uint16(picture[i]) * (np.uint16(255) - a) + np.uint16(colour[i]) * a + np.uint16(128))
        out[i] = np.uint8((v + (v >> np.uint16(8))) >> np.uint16(8))
