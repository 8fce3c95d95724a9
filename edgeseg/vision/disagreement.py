"""A picture of where two answers to one frame differ: the whole frame, and below it the densest place, enlarged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDE, GAP, MARGIN, TEXT, HEADING = 1640, 12, 32, 18, 30
GROUND, BRIGHT, SOFT, FAINT = (22, 22, 26), (255, 255, 255), (206, 208, 214), (150, 152, 162)
DIFFERS = (255, 64, 48)
"""Sizes in pixels, colours RGB. WIDE: of the picture without its margins."""
ZOOM = 9
"""The enlarged place is so many times narrower and lower than the frame."""

Chip = tuple[str, tuple[int, int, int]]
"""A name and its RGB."""


class Views(NamedTuple):
    """A frame and two answers to it, painted: uint8 [H, W, 3] BGR each. differs: bool [H, W]."""

    image: NDArray[np.uint8]
    expected: NDArray[np.uint8]
    actual: NDArray[np.uint8]
    differs: NDArray[np.bool_]


def disagreement_sheet(
    views: Views, names: tuple[str, str], heading: str, lines: Sequence[str], chips: Sequence[Chip]
) -> NDArray[np.uint8]:
    """Returns uint8 [H, W, 3] BGR: heading and lines; the frame as it was answered, beside where the two answers differ;
    below, the place with most differing pixels in all four views; and the chips of a legend.

    names: of expected and actual.
    """
    place = densest(views.differs)
    whole = [_sized(views.actual, _tile_width(2)), _map(views)]
    for tile in whole:
        _mark(tile, place, tile.width / views.differs.shape[1])
    x0, y0, x1, y1 = place
    near = [
        _sized(view[y0:y1, x0:x1], _tile_width(4), cv2.INTER_NEAREST)
        for view in (views.image, views.expected, views.actual, _struck(views))
    ]
    parts = [
        _words(heading, lines),
        _row((names[1], "where they differ"), whole),
        _row(("the marked place", *names, "where they differ"), near),
        _legend([*chips, ("differs", DIFFERS)]),
    ]
    sheet = Image.new("RGB", (WIDE + 2 * MARGIN, sum(part.height + GAP for part in parts) + 2 * MARGIN), GROUND)
    top = MARGIN
    for part in parts:
        sheet.paste(part, (MARGIN, top))
        top += part.height + GAP
    return np.ascontiguousarray(np.asarray(sheet)[:, :, ::-1])


def densest(differs: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Returns a window, x0 y0 x1 y1, of 1 / `ZOOM` of the sides of bool [H, W]: that with most true pixels, moved so that
    they lie in its middle; the middle of the frame where there is none."""
    height, width = differs.shape
    high, wide = max(1, height // ZOOM), max(1, width // ZOOM)
    sums = cv2.integral(differs.astype(np.uint8))
    inside = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    top, left = divmod(int(inside.argmax()), inside.shape[1])
    rows, columns = np.nonzero(differs[top : top + high, left : left + wide])
    middle = (top + rows.mean(), left + columns.mean()) if len(rows) else (height / 2, width / 2)
    y, x = (
        int(np.clip(round(at - side / 2), 0, whole - side))
        for at, side, whole in zip(middle, (high, wide), differs.shape, strict=True)
    )
    return x, y, x + wide, y + high


def _map(views: Views) -> Image.Image:
    """Where they differ on the whole frame: even a single pixel can be seen."""
    width = _tile_width(2)
    shown = np.asarray(_sized(_dimmed(views.image), width)).copy()
    share = cv2.resize(views.differs.astype(np.float32), shown.shape[1::-1], interpolation=cv2.INTER_AREA)
    shown[cv2.dilate((share > 0).astype(np.uint8), np.ones((2, 2), np.uint8)) > 0] = DIFFERS
    return Image.fromarray(shown)


def _struck(views: Views) -> NDArray[np.uint8]:
    """Where they differ, pixel by pixel, uint8 [H, W, 3] BGR."""
    struck = _dimmed(views.image)
    struck[views.differs] = DIFFERS[::-1]
    return struck


def _dimmed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return (grey * 0.45 + 8).astype(np.uint8)


def _sized(view: NDArray[np.uint8], width: int, enlarging: int = cv2.INTER_LINEAR) -> Image.Image:
    height = max(1, round(view.shape[0] * width / view.shape[1]))
    sized = cv2.resize(view, (width, height), interpolation=cv2.INTER_AREA if width < view.shape[1] else enlarging)
    return Image.fromarray(np.ascontiguousarray(sized[:, :, ::-1]))


def _mark(tile: Image.Image, place: tuple[int, int, int, int], scale: float) -> None:
    x0, y0, x1, y1 = (round(edge * scale) for edge in place)
    ImageDraw.Draw(tile).rectangle((x0 - 2, y0 - 2, x1 + 1, y1 + 1), outline=BRIGHT, width=2)


def _words(heading: str, lines: Sequence[str]) -> Image.Image:
    strip = Image.new("RGB", (WIDE, round(1.6 * HEADING + 1.5 * TEXT * len(lines))), GROUND)
    draw = ImageDraw.Draw(strip)
    draw.text((0, round(0.6 * HEADING)), heading, BRIGHT, _font(HEADING), anchor="lm")
    for number, line in enumerate(lines):
        draw.text((0, round(1.4 * HEADING + (0.75 + 1.5 * number) * TEXT)), line, SOFT, _font(TEXT), anchor="lm")
    return strip


def _row(titles: Sequence[str], tiles: Sequence[Image.Image]) -> Image.Image:
    head = round(1.7 * TEXT)
    strip = Image.new("RGB", (WIDE, head + max(tile.height for tile in tiles)), GROUND)
    for column, (title, tile) in enumerate(zip(titles, tiles, strict=True)):
        left = column * (_tile_width(len(tiles)) + GAP)
        ImageDraw.Draw(strip).text((left, head // 2), title, FAINT, _font(TEXT), anchor="lm")
        strip.paste(tile, (left, head))
    return strip


def _legend(chips: Sequence[Chip]) -> Image.Image:
    side, row = round(0.8 * TEXT), 2 * TEXT
    places: list[tuple[int, int]] = []
    x, y = 0, 0
    for name, _ in chips:
        wide = round(1.5 * side + _font(TEXT).getlength(name) + 1.6 * TEXT)
        if x + wide > WIDE and x:
            x, y = 0, y + row
        places.append((x, y))
        x += wide
    strip = Image.new("RGB", (WIDE, y + row), GROUND)
    draw = ImageDraw.Draw(strip)
    for (name, colour), (left, top) in zip(chips, places, strict=True):
        box = (left, top + (row - side) // 2, left + side, top + (row + side) // 2)
        draw.rounded_rectangle(box, side // 4, colour)
        draw.text((left + round(1.5 * side), top + row // 2), name, SOFT, _font(TEXT), anchor="lm")
    return strip


def _tile_width(count: int) -> int:
    """Of so many tiles side by side."""
    return (WIDE - GAP * (count - 1)) // count


def _font(size: int) -> ImageFont.FreeTypeFont:
    # Asked for with a size, the default font is the TrueType one that Pillow carries.
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
