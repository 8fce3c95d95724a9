"""A picture of the frames that a model does worst on: image, truth, answer, and where the answer is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EdgesegError
from edgeseg.streaming.sinks.files import draft_beside
from edgeseg.vision.metrics import ConfusionMatrix
from edgeseg.vision.overlay import paint

ENDINGS = (".jpg", ".jpeg", ".png")
COLUMNS = ("image", "truth", "answer", "where wrong")

TILE, GAP, MARGIN, TEXT = 420, 10, 28, 17
GROUND, BRIGHT, SOFT, FAINT = (22, 22, 26), (255, 255, 255), (206, 208, 214), (128, 130, 140)
WRONG, UNJUDGED = (255, 64, 48), (70, 84, 120)
"""Sizes in pixels, colours RGB."""


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame as it was answered. matrix: its own. miou: of that matrix."""

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    answer: NDArray[np.uint8]
    matrix: ConfusionMatrix
    miou: float


class WorstFrames:
    """Keeps the few frames whose own mIoU is lowest, and draws them, the worst one first.

    path: the picture, .jpg or .png. bundle: whose classes and colours are drawn. count: how many frames. Raises UsageError
    or SinkError at once where the picture could not be written.
    """

    def __init__(self, path: Path, bundle: Bundle, count: int = 6) -> None:
        self._path, self._bundle, self._count = path, bundle, count
        self._draft = draft_beside(path, ENDINGS)
        self._frames: list[_Frame] = []

    def offer(self, name: str, image: NDArray[np.uint8], truth: NDArray[np.uint8], answer: NDArray[np.uint8]) -> None:
        """Keeps a frame if it is among the worst so far; image: uint8 [H, W, 3] BGR, truth and answer: uint8 [H, W]."""
        matrix = ConfusionMatrix(self._bundle.classes)
        matrix.add(truth, answer, self._bundle.ignore_id)
        miou = matrix.miou()
        if np.isfinite(miou):
            self._frames.append(_Frame(name, image, truth, answer, matrix, miou))
            self._frames = sorted(self._frames, key=lambda frame: frame.miou)[: self._count]

    def names(self) -> list[str]:
        """The names of the frames kept, the worst one first."""
        return [frame.name for frame in self._frames]

    def picture(self) -> NDArray[np.uint8]:
        """Returns uint8 [H, W, 3] BGR: a row a frame, under it the classes' colours."""
        rows = [self._row(frame) for frame in self._frames]
        parts = [_heads(), *rows, self._legend()]
        ground = Image.new("RGB", (parts[0].width, sum(part.height for part in parts) + 2 * MARGIN), GROUND)
        top = MARGIN
        for part in parts:
            ground.paste(part, (0, top))
            top += part.height
        return np.ascontiguousarray(np.asarray(ground)[:, :, ::-1])

    def write(self) -> str:
        """Writes the picture, whole or not at all, and returns its path. Raises EdgesegError."""
        _, encoded = cv2.imencode(self._path.suffix.lower(), self.picture())
        try:
            self._draft.write_bytes(encoded.tobytes())
            self._draft.replace(self._path)
        except OSError as error:
            raise EdgesegError(f"{self._path} can't be written ({error.strerror}): free some space") from error
        finally:
            self._draft.unlink(missing_ok=True)
        return str(self._path)

    def _row(self, frame: _Frame) -> Image.Image:
        tiles = [_fitted(view) for view in self._views(frame)]
        strip = _strip(round(2.2 * TEXT) + max(tile.height for tile in tiles) + GAP)
        draw, x = ImageDraw.Draw(strip), MARGIN
        for words, colour in (
            (frame.name, BRIGHT),
            (f"mIoU {100 * frame.miou:.1f} %", BRIGHT),
            (self._mistakes(frame.matrix), SOFT),
        ):
            draw.text((x, round(1.1 * TEXT)), words, colour, _font(), anchor="lm")
            x += round(_font().getlength(words)) + TEXT
        for column, tile in enumerate(tiles):
            strip.paste(tile, (MARGIN + column * (TILE + GAP) + (TILE - tile.width) // 2, round(2.2 * TEXT)))
        return strip

    def _views(self, frame: _Frame) -> list[NDArray[np.uint8]]:
        """The four pictures of a row, uint8 [H, W, 3] BGR."""
        grey = cv2.cvtColor(cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        unjudged = frame.truth == self._bundle.ignore_id
        wrong = np.where(frame.answer != frame.truth, 0, 2)
        wrong[unjudged] = 1
        palette = self._bundle.palette
        return [
            frame.image,
            paint(frame.image, frame.truth, palette, 0.78),
            paint(frame.image, frame.answer, palette, 0.78),
            paint(np.asarray(grey // 2, np.uint8), wrong.astype(np.uint8), (WRONG, UNJUDGED), 0.8, lines=False),
        ]

    def _mistakes(self, matrix: ConfusionMatrix, most: int = 3) -> str:
        """The commonest confusions: "pavement taken for road 4.1 %", of the judged pixels."""
        shares = 100 * matrix.counts / matrix.counts.sum()
        np.fill_diagonal(shares, 0)
        commonest = np.argsort(-shares, axis=None, kind="stable")[:most]
        pairs = (divmod(int(place), len(matrix.classes)) for place in commonest if shares.flat[place] >= 0.05)
        return ",  ".join(
            f"{matrix.classes[true]} taken for {matrix.classes[said]} {shares[true, said]:.1f} %"
            for true, said in pairs
        )

    def _legend(self) -> Image.Image:
        chips = [
            *zip(self._bundle.classes, self._bundle.palette, strict=True),
            ("wrong", WRONG),
            ("not judged", UNJUDGED),
        ]
        side, row = round(0.8 * TEXT), 2 * TEXT
        places: list[tuple[int, int]] = []
        x, y = MARGIN, row // 2
        for name, _ in chips:
            wide = round(1.5 * side + _font().getlength(name) + 1.6 * TEXT)
            if x + wide > _width() - MARGIN and x > MARGIN:
                x, y = MARGIN, y + row
            places.append((x, y))
            x += wide
        strip = _strip(y + row)
        draw = ImageDraw.Draw(strip)
        for (name, colour), (left, top) in zip(chips, places, strict=True):
            box = (left, top + (row - side) // 2, left + side, top + (row + side) // 2)
            draw.rounded_rectangle(box, side // 4, colour)
            draw.text((left + round(1.5 * side), top + row // 2), name, SOFT, _font(), anchor="lm")
        return strip


def _heads() -> Image.Image:
    strip = _strip(round(1.6 * TEXT))
    for column, name in enumerate(COLUMNS):
        x = MARGIN + column * (TILE + GAP)
        ImageDraw.Draw(strip).text((x, round(0.8 * TEXT)), name, FAINT, _font(), anchor="lm")
    return strip


def _fitted(view: NDArray[np.uint8]) -> Image.Image:
    """A picture as large as a tile's width and height allow; a tile is a square at most."""
    scale = TILE / max(view.shape[:2])
    size = (max(1, round(view.shape[1] * scale)), max(1, round(view.shape[0] * scale)))
    sized = cv2.resize(view, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return Image.fromarray(np.asarray(sized[:, :, ::-1]))


def _strip(height: int) -> Image.Image:
    return Image.new("RGB", (_width(), height), GROUND)


def _width() -> int:
    return 2 * MARGIN + len(COLUMNS) * TILE + (len(COLUMNS) - 1) * GAP


def _font() -> ImageFont.FreeTypeFont:
    # Asked for with a size, the default font is the TrueType one that Pillow carries.
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(TEXT))
