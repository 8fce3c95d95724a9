"""Words on the picture: a line of figures at the top, a legend of the classes' colours at the bottom, a tag at each thing.

All are drawn with Pillow as translucent pieces and kept; a frame pays only for laying the pieces onto it, and for those
words of the line and the tags that were not shown lately.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from edgeseg.core.masks import InstanceMasks
from edgeseg.vision.overlay import colours_of, compose

SEPARATOR = " · "
PANEL = (20, 18, 18)
PANEL_OPACITY = 0.64
BRIGHT = (255, 255, 255)
SOFT = (218, 214, 212)
FAINT = (130, 126, 124)
"""All BGR."""

TAG_OPACITY = 0.9
BRIGHT_FROM = 140
"""The luma of a tag from which on its words are dark."""

SHARE = 0.25
"""The line and the legend each take at most so much of the picture's height."""


def hud(model: str, engine: str, precision: str, fps: float, age_ms: float, dropped: int) -> str:
    """Returns the line of figures: "fast-scnn-street · openvino bf16 · 29.9 FPS · age 14 ms · 0 dropped"."""
    return SEPARATOR.join(
        (model, f"{engine} {precision}", f"{fps:.1f} FPS", f"age {age_ms:.0f} ms", f"{dropped} dropped")
    )


class Tag(NamedTuple):
    """Words for a thing. box: x0 y0 x1 y1 in pixels, where it stands. colour: RGB, the tag's."""

    text: str
    box: tuple[float, float, float, float]
    colour: tuple[int, int, int]


def tags_of(instances: InstanceMasks, palette: ArrayLike) -> list[Tag]:
    """Returns a tag for each thing, the surest first: "person 92 %", or "person 7 · 92 %" with its id where it is tracked.

    palette: [K, 3], RGB by class; the colours are those that `paint_instances` takes.
    """
    tags: list[Tag] = []
    colours = colours_of(instances, palette)
    for thing in np.argsort(-instances.scores, kind="stable"):
        name, score = instances.classes[instances.labels[thing]], f"{100 * instances.scores[thing]:.0f} %"
        who = f"{name} " if instances.ids is None else f"{name} {instances.ids[thing]}{SEPARATOR}"
        x0, y0, x1, y1 = instances.boxes[thing].tolist()
        tags.append(Tag(who + score, (x0, y0, x1, y1), colours[thing]))
    return tags


class Captions:
    """The line, the legend and the tags for pictures of one size. What does not fit on a small picture is left out.

    classes: names by id. palette: [K, 3], RGB by id; what is black is not painted, and not in the legend. height, width:
    the pictures', in pixels.
    """

    def __init__(self, classes: Sequence[str], palette: ArrayLike, height: int, width: int) -> None:
        self._height, self._width = height, width
        size = max(10.0, 17 * min(height / 720, width / 1080))
        # Asked for with a size, the default font is the TrueType one that Pillow carries.
        self._font = cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
        self._margin = max(2, round(size * 0.7))
        self._pad = max(3, round(size * 0.6))
        self._gap = max(5, round(size * 0.9))
        self._row = round(size * 1.5)
        self._most_rows = int((height * SHARE - self._margin - self._pad) // self._row)
        self._room = width - 2 * self._margin - 2 * self._pad
        self._word = lru_cache(maxsize=256)(self._draw_word)
        self._tag = lru_cache(maxsize=256)(self._draw_tag)
        self._widest = 0
        self._line = ""
        self._figures: _Sheet | None = None
        painted = [entry for entry in zip(classes, np.asarray(palette), strict=False) if entry[1].any()]
        self._legend = self._draw_legend([name for name, _ in painted], np.array([colour for _, colour in painted]))

    def draw(self, image: NDArray[np.uint8], line: str, tags: Sequence[Tag] = ()) -> None:
        """Draws all onto the picture, in place.

        image: uint8 [height, width, 3], BGR, C-contiguous. line: items between " · ", the first one brighter than the
        rest; it is wrapped where the picture is narrow, and an item that alone is too wide is left out. tags: the most
        important first, each above its box, at the top of it or below, where it covers no other words; else left out.
        """
        if line != self._line:
            self._line = line
            self._figures = self._draw_figures([item for item in line.split(SEPARATOR) if item])
        sheets = [sheet for sheet in (self._figures, self._legend) if sheet is not None]
        for sheet in sheets:
            sheet.lay_on(image)
        if tags:
            self._lay_tags(image, tags, sheets)

    def _lay_tags(self, image: NDArray[np.uint8], tags: Sequence[Tag], sheets: Sequence[_Sheet]) -> None:
        taken = np.zeros((self._height, self._width), dtype=bool)
        for sheet in sheets:
            taken[sheet.place] = True
        for tag in tags:
            colour, alpha = self._tag(tag.text, tag.colour)
            height, width = colour.shape[:2]
            left = max(0, min(round(tag.box[0]), self._width - width))
            for top in (round(tag.box[1]) - height, max(0, round(tag.box[1])), round(tag.box[3])):
                spot = (slice(top, top + height), slice(left, left + width))
                if 0 <= top <= self._height - height and width <= self._width and not taken[spot].any():
                    taken[spot] = True
                    compose(image, colour, alpha, left, top)
                    break

    def _draw_figures(self, items: list[str]) -> _Sheet | None:
        words = [self._word(item) for item in items]
        rows = _wrap([word.shape[1] for word in words], self._room, self._gap)[: max(0, self._most_rows)]
        if not rows:
            return None
        # The panel never shrinks, or it would twitch whenever a figure loses a digit.
        self._widest = max(
            [self._widest, *(sum(words[i].shape[1] + self._gap for i in row) - self._gap for row in rows)]
        )
        sheet = _Sheet(self._widest + 2 * self._pad, len(rows) * self._row + self._pad, self._margin, self._margin)
        dot = np.full((max(2, self._row // 10),) * 2, 255, dtype=np.uint8)
        for number, row in enumerate(rows):
            x = self._pad
            middle = self._middle(number)
            for place, index in enumerate(row):
                if place:
                    sheet.ink(dot, x - (self._gap + len(dot)) // 2, middle - len(dot) // 2, FAINT)
                word = words[index]
                sheet.ink(word, x, middle - word.shape[0] // 2, SOFT if index else BRIGHT)
                x += word.shape[1] + self._gap
        return sheet

    def _draw_legend(self, names: list[str], palette: NDArray[np.integer]) -> _Sheet | None:
        chip = _rounded(round(self._row * 0.56), round(self._row * 0.56), max(1, self._row // 7))
        chip = np.rint(chip * 255).astype(np.uint8)
        between = round(len(chip) * 0.5)
        for named in range(len(names), 0, -1):
            more = [f"+{len(names) - named} more"] if named < len(names) else []
            words = [self._word(name) for name in names[:named] + more]
            widths = [len(chip) + between + word.shape[1] for word in words]
            columns = _columns(widths, self._room, self._gap, self._most_rows)
            if columns:
                break
        else:
            return None
        rows = math.ceil(len(words) / len(columns))
        width = sum(columns) + self._gap * (len(columns) - 1) + 2 * self._pad
        height = rows * self._row + self._pad
        sheet = _Sheet(width, height, self._margin, self._height - self._margin - height)
        for index, word in enumerate(words):
            row, column = divmod(index, len(columns))
            x = self._pad + sum(columns[:column]) + self._gap * column
            middle = self._middle(row)
            if index < named:
                red, green, blue = (int(v) for v in palette[index])
                sheet.ink(chip, x, middle - len(chip) // 2, (blue, green, red))
                x += len(chip) + between
            sheet.ink(word, x, middle - word.shape[0] // 2, SOFT)
        return sheet

    def _draw_tag(self, text: str, colour: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Colour and alpha, uint8 [h, w, 3] each."""
        word = self._draw_word(text)
        height, width = word.shape[0], word.shape[1] + self._pad
        red, green, blue = colour
        ink = PANEL if 0.299 * red + 0.587 * green + 0.114 * blue >= BRIGHT_FROM else BRIGHT
        cover = np.zeros((height, width, 1))
        cover[:, self._pad // 2 : self._pad // 2 + word.shape[1], 0] = word / 255
        shape = _rounded(width, height, max(2, height // 5))[..., None]
        alpha = np.repeat(np.rint(shape * (255 * TAG_OPACITY)), 3, axis=2).astype(np.uint8)
        return np.rint(np.array((blue, green, red)) * (1 - cover) + np.array(ink) * cover).astype(np.uint8), alpha

    def _middle(self, row: int) -> int:
        return self._pad // 2 + row * self._row + self._row // 2

    def _draw_word(self, text: str) -> NDArray[np.uint8]:
        ascent, descent = self._font.getmetrics()
        canvas = Image.new("L", (math.ceil(self._font.getlength(text)), ascent + descent))
        # The middle of the small letters, not of the box, stands level with chip and dot.
        down = round((descent - ascent) / 2 + 0.3 * self._font.size)
        ImageDraw.Draw(canvas).text((0, down), text, fill=255, font=self._font)
        return np.asarray(canvas, dtype=np.uint8)


class _Sheet:
    """A translucent dark panel with rounded corners, and what is printed on it. place: its rows and columns."""

    def __init__(self, width: int, height: int, left: int, top: int) -> None:
        self._left, self._top = left, top
        self.place = (slice(top, top + height), slice(left, left + width))
        self._panel = _panel(width, height, max(2, min(width, height) // 6))
        self._colour = np.zeros((height, width, 3), dtype=np.uint8)
        self._cover = np.zeros((height, width, 3), dtype=np.uint8)

    def ink(self, stencil: NDArray[np.uint8], x: int, y: int, colour: tuple[int, int, int]) -> None:
        """Prints a stencil, uint8 [h, w], 255 = full ink, in a BGR colour, its corner at x, y of the sheet."""
        place = (slice(y, y + stencil.shape[0]), slice(x, x + stencil.shape[1]))
        self._colour[place] = colour
        self._cover[place] = stencil[..., None]

    def lay_on(self, image: NDArray[np.uint8]) -> None:
        """Lays panel and ink onto a picture, uint8 [H, W, 3] BGR, in place."""
        compose(image, *self._panel, self._left, self._top)
        compose(image, self._colour, self._cover, self._left, self._top)


@lru_cache(maxsize=16)
def _panel(width: int, height: int, radius: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Colour and alpha of an empty panel, uint8 [height, width, 3] each."""
    alpha = np.rint(_rounded(width, height, radius) * (255 * PANEL_OPACITY)).astype(np.uint8)
    return np.full((height, width, 3), PANEL, dtype=np.uint8), np.repeat(alpha[..., None], 3, axis=2)


def _rounded(width: int, height: int, radius: int) -> NDArray[np.float64]:
    """Coverage, float64 [height, width] in 0..1, of a rectangle with round corners, smooth at its edge."""
    dx = np.maximum(np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - radius), 0)
    dy = np.maximum(np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - radius), 0)
    return np.clip(radius + 0.5 - np.hypot(dx[None, :], dy[:, None]), 0, 1)


def _wrap(widths: list[int], room: int, gap: int) -> list[list[int]]:
    """Returns rows of positions, each row within `room`; what alone is too wide is in none."""
    rows: list[list[int]] = []
    used = room
    for position, width in enumerate(widths):
        if width > room:
            continue
        if not rows or used + gap + width > room:
            rows.append([])
            used = -gap
        rows[-1].append(position)
        used += gap + width
    return rows


def _columns(widths: list[int], room: int, gap: int, most_rows: int) -> list[int]:
    """Returns the widths of the columns that hold all items, row by row, in as few rows as fit; [] where none do."""
    for rows in range(1, most_rows + 1):
        count = math.ceil(len(widths) / rows)
        columns = [max(widths[column::count]) for column in range(count)]
        if sum(columns) + gap * (count - 1) <= room:
            return columns
    return []
