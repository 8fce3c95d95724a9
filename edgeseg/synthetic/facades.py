"""House fronts as textures: upper floors (four bays by four floors), shops and front doors at street level."""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.synthetic import patterns

WALLS, SHOPS, HOUSES = 8, 8, 4
CELL = 128
"""Texels a bay and a floor: each is about 3 m."""
_NAMES = (
    "THE COPPER KETTLE",
    "HARVEY & SONS",
    "BOOKS",
    "FLOWERS",
    "CAFE VERDE",
    "THE GREY HERON",
    "PHARMACY",
    "BAKERY",
    "BARBER",
    "CYCLES",
    "SECOND CHANCE",
    "GREENGROCER",
    "Fish & Chips",
    "OPTICIAN",
    "TEA ROOMS",
    "ANTIQUES",
)
_AWNINGS = (
    (0.45, 0.10, 0.12),
    (0.08, 0.25, 0.20),
    (0.10, 0.15, 0.32),
    (0.12, 0.12, 0.13),
    (0.62, 0.42, 0.12),
    (0.30, 0.12, 0.30),
    (0.16, 0.36, 0.46),
    (0.55, 0.20, 0.10),
)


def paint(rng: np.random.Generator) -> dict[str, np.ndarray]:
    walls = {f"wall{i}": _wall(rng, i) for i in range(WALLS)}
    shops = {f"shop{i}": _shop(rng, i) for i in range(SHOPS)}
    return walls | shops | {f"house{i}": _house(rng, i) for i in range(HOUSES)}


def _plaster(rng: np.random.Generator, h: int, w: int, colour: tuple[float, float, float]) -> np.ndarray:
    image = patterns.solid(h, w, colour)
    stain = patterns.noise(rng, h, w, 2, 64) * 0.03 + patterns.noise(rng, h, w, 8, 8) * 0.03
    image[..., :3] *= (1 + stain + rng.normal(0, 0.012, (h, w)))[..., None]
    return image


def _ashlar(rng: np.random.Generator, h: int, w: int, colour: tuple[float, float, float]) -> np.ndarray:
    image = _plaster(rng, h, w, colour)
    y, x = np.mgrid[0:h, 0:w]
    row = y // 16
    column = (x + 16 * (row % 2)) // 32 % (w // 32)
    image[..., :3] *= (1 + rng.normal(0, 0.05, (h // 16 + 1, w // 32))[row, column])[..., None]
    joint = (y % 16 == 0) | ((x + 16 * (row % 2)) % 32 == 0)
    image[joint, :3] *= 0.82
    return image


def _material(rng: np.random.Generator, style: int, h: int, w: int) -> np.ndarray:
    match style:
        case 0:
            return patterns.bricks(rng, h, w, (0.57, 0.36, 0.29))
        case 1:
            return patterns.bricks(rng, h, w, (0.70, 0.62, 0.47))
        case 2:
            return _plaster(rng, h, w, (0.87, 0.85, 0.80))
        case 3:
            return _ashlar(rng, h, w, (0.74, 0.68, 0.56))
        case 4:
            return patterns.bricks(rng, h, w, (0.45, 0.33, 0.29))
        case 5:
            return _plaster(rng, h, w, (0.80, 0.80, 0.80))
        case 6:
            return _plaster(rng, h, w, (0.82, 0.74, 0.60))
        case _:
            return _ashlar(rng, h, w, (0.62, 0.61, 0.60))


def _glass(rng: np.random.Generator, image: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> None:
    """A pane: dark room, perhaps a curtain or blind, and alpha low, so that it mirrors the sky."""
    h, w = y1 - y0, x1 - x0
    pane = patterns.solid(h, w, (0.20, 0.22, 0.25), 0.12)
    pane[..., :3] *= np.linspace(1.25, 0.7, h, dtype=np.float32)[:, None, None]
    choice = rng.integers(5)
    if choice == 0:
        pane[: h // 2, :, :3] = np.array([0.66, 0.63, 0.57], np.float32)
        pane[: h // 2, :, 3] = 0.5
    elif choice <= 2:
        drape = np.array([0.62, 0.58, 0.52] if choice == 1 else [0.55, 0.45, 0.42], np.float32)
        side = max(w // 5, 2)
        pane[:, :side, :3] = drape
        pane[:, w - side :, :3] = drape * 0.9
        pane[:, :side, 3] = pane[:, w - side :, 3] = 0.45
    image[y0:y1, x0:x1] = pane


def _window(
    rng: np.random.Generator,
    image: np.ndarray,
    x0: int,
    y0: int,
    x1: int,
    y1: int,
    frame: tuple[float, float, float],
    panes: tuple[int, int],
    stone: tuple[float, float, float] | None,
) -> None:
    """Reveal, lintel and sill of stone (None: bare), frame, glass with panes (columns, rows) of glazing bars."""
    if stone is not None:
        image[y0 - 9 : y0, x0 - 5 : x1 + 5, :3] = np.array(stone, np.float32)
        image[y1 : y1 + 5, x0 - 6 : x1 + 6, :3] = np.array(stone, np.float32) * 1.06
        image[y1 + 5 : y1 + 8, x0 - 6 : x1 + 6, :3] *= 0.62
    image[y0:y1, x0:x1, :3] = np.array(frame, np.float32)
    image[y0:y1, x0:x1, 3] = 1
    _glass(rng, image, x0 + 4, y0 + 4, x1 - 4, y1 - 4)
    bar = np.array(frame, np.float32) * 0.95
    for column in range(1, panes[0]):
        x = x0 + (x1 - x0) * column // panes[0]
        image[y0:y1, x - 1 : x + 1, :3] = bar
        image[y0:y1, x - 1 : x + 1, 3] = 1
    for row in range(1, panes[1]):
        y = y0 + (y1 - y0) * row // panes[1]
        thick = 2 if row * 2 == panes[1] else 1
        image[y - thick : y + thick, x0:x1, :3] = bar
        image[y - thick : y + thick, x0:x1, 3] = 1
    image[y0 : y0 + 5, x0:x1, :3] *= 0.55
    image[y0:y1, x0 : x0 + 3, :3] *= 0.7


def _wall(rng: np.random.Generator, style: int) -> np.ndarray:
    size = 4 * CELL
    image = _material(rng, style, size, size)
    stone = (
        (0.76, 0.72, 0.64),
        (0.80, 0.77, 0.70),
        (0.80, 0.78, 0.74),
        (0.80, 0.74, 0.62),
        (0.66, 0.60, 0.52),
        None,
        (0.88, 0.84, 0.76),
        None,
    )[style]
    frame = (
        (0.90, 0.90, 0.88),
        (0.90, 0.90, 0.87),
        (0.24, 0.26, 0.28),
        (0.86, 0.86, 0.84),
        (0.88, 0.87, 0.84),
        (0.22, 0.23, 0.25),
        (0.90, 0.90, 0.88),
        (0.30, 0.31, 0.33),
    )[style]
    box = (
        (38, 22, 90, 104),
        (36, 20, 92, 106),
        (36, 24, 92, 102),
        (40, 18, 88, 106),
        (34, 28, 94, 100),
        (8, 26, 120, 98),
        (40, 20, 88, 104),
        (14, 14, 114, 112),
    )[style]
    panes = ((2, 4), (2, 2), (2, 4), (3, 4), (2, 2), (3, 1), (2, 4), (2, 1))[style]
    for floor in range(4):
        y = floor * CELL
        for bay in range(4):
            x = bay * CELL
            _window(rng, image, x + box[0], y + box[1], x + box[2], y + box[3], frame, panes, stone)
        if style in (3, 6, 7):
            image[y + 122 : y + 126, :, :3] *= 1.1
            image[y + 126 : y + 128, :, :3] *= 0.68
    return image


def _shop(rng: np.random.Generator, index: int) -> np.ndarray:
    """6 m by 3.4 m: fascia with a name, display windows with goods, a door, stall riser, pilasters."""
    h, w = 256, 512
    wood = np.array(_AWNINGS[index], np.float32)
    image = patterns.solid(h, w, _AWNINGS[index])
    image[..., :3] *= (1 + rng.normal(0, 0.02, (h, w)))[..., None]
    image[:6, :, :3] = wood * 1.5 + 0.1
    image[56:62, :, :3] *= 0.5
    name = _NAMES[index * 2 + int(rng.integers(2))]
    scale = min(1.5, 430 / (len(name) * 20))
    (tw, th), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_TRIPLEX, scale, 2)
    ink = (0.93, 0.86, 0.62, 1) if index % 2 else (0.94, 0.94, 0.92, 1)
    patterns.write(image, name, ((w - tw) // 2, 32 + th // 2), scale, ink, 2)
    door = (20, 200, 400)[index % 3]
    spans = {20: [(112, 300), (312, 492)], 200: [(20, 190), (300, 492)], 400: [(20, 200), (212, 390)]}[door]
    for x0, x1 in spans:
        _display(rng, image, x0, 74, x1, 212)
    image[72:256, door : door + 84, :3] = wood * 0.75
    _glass(rng, image, door + 12, 82, door + 72, 236)
    image[160:166, door + 66 : door + 70, :3] = 0.75
    for x in (0, w - 14):
        image[:, x : x + 14, :3] = wood * 1.25 + 0.05
    image[248:, :, :3] *= 0.6
    return image


def _display(rng: np.random.Generator, image: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> None:
    """A shop window: a lit room, shelves of goods, glazing bars."""
    image[y0:y1, x0:x1] = (0.30, 0.28, 0.25, 0.35)
    image[y0 : y0 + (y1 - y0) // 3, x0:x1, :3] += 0.14
    for shelf in (y0 + 62, y0 + 100, y1 - 4):
        x = x0 + 6
        while x < x1 - 22:
            wide, tall = int(rng.integers(8, 24)), int(rng.integers(10, 32))
            image[shelf - tall : shelf, x : x + wide, :3] = rng.uniform(0.2, 0.8, 3) * (0.7, 0.65, 0.6)
            x += wide + int(rng.integers(2, 16))
        image[shelf : shelf + 3, x0:x1, :3] = 0.24
    frame = image[40, x0, :3] * 1.3 + 0.04
    for x in (x0, (x0 + x1) // 2, x1 - 5):
        image[y0:y1, x : x + 5, :3] = frame
        image[y0:y1, x : x + 5, 3] = 1
    image[y0 : y0 + 5, x0:x1] = (*(frame * 0.6), 1)
    image[y1 - 5 : y1, x0:x1] = (*frame, 1)


def _house(rng: np.random.Generator, index: int) -> np.ndarray:
    """6 m by 3 m of a terrace's ground floor: two windows and a painted door with a fanlight."""
    h, w = 128, 256
    image = _material(rng, (0, 1, 2, 6)[index], h, w)
    frame = (0.90, 0.90, 0.88)
    stone = (0.80, 0.77, 0.70)
    _window(rng, image, 16, 30, 80, 100, frame, (3, 2), stone)
    _window(rng, image, 100, 30, 164, 100, frame, (3, 2), stone)
    colour = ((0.10, 0.22, 0.38), (0.42, 0.08, 0.10), (0.10, 0.28, 0.20), (0.12, 0.12, 0.13))[index]
    image[18:128, 188:236, :3] = (0.86, 0.85, 0.82)
    image[44:126, 194:230, :3] = np.array(colour, np.float32)
    _glass(rng, image, 194, 24, 230, 40)
    for y in (50, 88):
        for x in (198, 214):
            image[y : y + 28, x : x + 12, :3] *= 0.78
    image[82:85, 224:228, :3] = (0.80, 0.70, 0.35)
    image[122:, :188, :3] *= 0.75
    return image
