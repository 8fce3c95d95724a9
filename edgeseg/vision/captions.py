"""Words on the picture: a line of figures at the top, and a legend of the classes' colours at the bottom.

Everything is drawn once with Pillow as a translucent piece and kept; a frame pays only for laying the pieces onto it, and
for those words of the line that were not shown before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from edgeseg.vision.overlay import compose

SEPARATOR = " · "
PANEL = (18, 18, 20)
PANEL_OPACITY = 0.66
BRIGHT = (255, 255, 255)
DIM = (206, 208, 212)
LEGEND_SHARE = 0.2
"""The legend covers at most so much of the picture's height; classes beyond that are counted, not named."""


def hud(model: str, engine: str, precision: str, fps: float, age_ms: float, dropped: int) -> str:
    """Returns the line of figures: "fast-scnn-street · openvino bf16 · 29.9 FPS · age 14 ms · 0 dropped"."""
    return SEPARATOR.join((model, f"{engine} {precision}", f"{fps:.1f} FPS", f"age {age_ms:.0f} ms", f"{dropped} dropped"))


@dataclass(frozen=True, eq=False)
class _Piece:
    """colour, alpha: uint8 [h, w, 3], BGR, contiguous; left, top: its corner on the picture, px."""

    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    left: int
    top: int


class Captions:
    """The line and the legend for pictures of one size. What does not fit on a small picture is left out.

    classes: names by id. palette: [K, 3], RGB by id. height, width: the pictures', in pixels.
    """

    def __init__(self, classes: Sequence[str], palette: ArrayLike, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._text = max(10.0, 18 * min(height / 720, width / 1080))
        self._font = ImageFont.load_default(self._text)
        self._margin = max(2, round(self._text * 0.6))
        self._word = lru_cache(maxsize=256)(self._draw_word)
        self._shown: tuple[str, list[_Piece]] = ("", [])
        self._panel_width = 0
        self._legend = self._draw_legend(tuple(classes), np.asarray(palette))

    def draw(self, image: NDArray[np.uint8], line: str) -> None:
        """Draws both onto the picture, in place.

        image: uint8 [height, width, 3], BGR, C-contiguous. line: items between " · ", the first one shown brighter;
        it is wrapped where the picture is narrow, and an item alone too wide is left out.
        """
        if line != self._shown[0]:
            self._shown = (line, self._draw_line(line))
        for piece in (*self._shown[1], *self._legend):
            compose(image, piece.colour, piece.alpha, piece.left, piece.top)

    def _draw_line(self, line: str) -> list[_Piece]:
        pad, gap, row_height = self._spacing()
        room = self._width - 2 * self._margin - 2 * pad
        words = [self._word(item, position == 0) for position, item in enumerate(line.split(SEPARATOR)) if item]
        rows = _wrap([word.shape[1] for word in words], room, gap)
        most = int((self._height * 0.5 - 2 * self._margin - pad) // row_height)
        rows = rows[: max(0, most)]
        if not rows:
            return []
        # The panel never shrinks: a figure that gains and loses a digit would make it twitch.
        widest = max(sum(words[i].shape[1] for i in row) + gap * (len(row) - 1) for row in rows)
        self._panel_width = max(self._panel_width, min(widest, room))
        height = len(rows) * row_height + pad
        canvas = np.zeros((height, self._panel_width + 2 * pad, 2), dtype=np.uint8)
        dot = max(2, round(self._text / 7))
        for number, row in enumerate(rows):
            x, y = pad, pad // 2 + number * row_height
            for place, index in enumerate(row):
                word = words[index]
                if place:
                    middle = y + row_height // 2
                    canvas[middle - dot // 2 : middle - dot // 2 + dot, x - gap // 2 - dot // 2 : x - gap // 2 - dot // 2 + dot, 1] = 110
                top = y + (row_height - word.shape[0]) // 2
                canvas[top : top + word.shape[0], x : x + word.shape[1], 0 if index == 0 else 1] = word
                x += word.shape[1] + gap
        return [_piece(canvas, (BRIGHT, DIM), pad, self._margin, self._margin)]

    def _spacing(self) -> tuple[int, int, int]:
        """Padding inside a panel, gap between items, height of a row: px."""
        return max(3, round(self._text * 0.6)), max(6, round(self._text * 1.0)), round(self._text * 1.5)

    def _draw_word(self, text: str, bright: bool) -> NDArray[np.uint8]:
        del bright
        return _word(text, self._font)
