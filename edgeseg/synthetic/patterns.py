"""Ground, plants and fences as textures, and what every texture is made with: noise, plain fields, words."""

from __future__ import annotations

import cv2
import numpy as np

_TEXT = cv2.FONT_HERSHEY_DUPLEX


def noise(rng: np.random.Generator, height: int, width: int, cells_v: int, cells_u: int) -> np.ndarray:
    """Smooth tileable noise float32 [height, width], about -1..1."""
    grid = rng.uniform(-1, 1, (cells_v, cells_u)).astype(np.float32)
    padded = np.pad(grid, 2, mode="wrap")
    dv, du = height // cells_v, width // cells_u
    large = cv2.resize(padded, ((cells_u + 4) * du, (cells_v + 4) * dv), interpolation=cv2.INTER_CUBIC)
    return large[2 * dv : 2 * dv + height, 2 * du : 2 * du + width]


def clouds(rng: np.random.Generator, size: int, coarsest: int, octaves: int) -> np.ndarray:
    """Tileable fractal noise float32 [size, size], about -1..1."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = min(coarsest << octave, size)
        total += noise(rng, size, size, cells, cells) * 0.5**octave
    return total * 0.7


def solid(height: int, width: int, colour: tuple[float, float, float], alpha: float = 1.0) -> np.ndarray:
    return np.tile(np.array([*colour, alpha], np.float32), (height, width, 1))


def write(
    image: np.ndarray, text: str, origin: tuple[int, int], scale: float, colour: tuple[float, ...], thickness: int
) -> None:
    """Writes text with its lower left at origin, in a colour that may have alpha."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.putText(mask, text, origin, _TEXT, scale, 255, thickness, cv2.LINE_AA)
    cover = (mask / np.float32(255))[..., None]
    image[..., : len(colour)] += cover * (np.array(colour, np.float32) - image[..., : len(colour)])


def paint(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "white": solid(4, 4, (1, 1, 1)),
        "road": _road(rng, zebra=False),
        "road_worn": _road(rng, zebra=False),
        "road_zebra": _road(rng, zebra=True),
        "lane": _asphalt(rng, 256, 256),
        "paving": _paving(rng),
        "kerb": _speckled(rng, 64, 64, (0.62, 0.61, 0.59), 0.05),
        "grass": _grass(rng),
        "brick": bricks(rng, 256, 256, (0.60, 0.40, 0.33)),
        "slate": _roof(rng, (0.38, 0.40, 0.44)),
        "tiles": _roof(rng, (0.58, 0.38, 0.31)),
        "leaves": _leaves(rng, 70, (0.36, 0.47, 0.20)),
        "blossom": _leaves(rng, 46, (0.44, 0.50, 0.22)),
        "hedge": _hedge(rng),
        "bark": _bark(rng),
        "railing": _railing(),
        "planks": _planks(rng),
        "netting": _netting(),
        "skyline": _skyline(rng),
        "plaster": _plaster(rng),
        "buff": bricks(rng, 256, 256, (0.66, 0.58, 0.45)),
    }


def _shade(image: np.ndarray, amount: np.ndarray) -> np.ndarray:
    image[..., :3] *= 1 + amount[..., None]
    return image


def _speckled(
    rng: np.random.Generator, h: int, w: int, colour: tuple[float, float, float], amount: float
) -> np.ndarray:
    image = solid(h, w, colour)
    return _shade(image, rng.normal(0, amount, (h, w)) + noise(rng, h, w, 8, 8) * amount)


def _asphalt(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    image = solid(h, w, (0.405, 0.402, 0.40))
    amount = rng.normal(0, 0.035, (h, w)) + noise(rng, h, w, 8, 8) * 0.035 + noise(rng, h, w, 64, 32) * 0.02
    return _shade(image, amount)


def _road(rng: np.random.Generator, zebra: bool) -> np.ndarray:
    """11.6 m across by 12 m along; centre line, parking bays' edge, wheel tracks, mended patches, covers."""
    h, w = 512, 1024
    image = _asphalt(rng, h, w)
    metre_u, metre_v = w / 11.6, h / 12
    across = (np.arange(w) / metre_u - 5.8)[None, :]
    tracks = sum(np.exp(-(((across - c) / 0.28) ** 2)) for c in (-2.5, -1.0, 1.0, 2.5))
    oil = np.exp(-(((np.abs(across) - 1.75) / 0.35) ** 2))
    gutter = np.exp(-(((np.abs(across) - 5.8) / 0.25) ** 2))
    _shade(image, np.broadcast_to(0.05 * tracks - 0.05 * oil - 0.16 * gutter, (h, w)))
    for _ in range(int(rng.integers(1, 3))):
        x, y = int(rng.uniform(1, 9.5) * metre_u), int(rng.uniform(0.5, 9) * metre_v)
        dx, dy = int(rng.uniform(0.6, 1.5) * metre_u), int(rng.uniform(0.8, 2.6) * metre_v)
        image[y : y + dy, x : x + dx, :3] *= rng.choice([0.9, 0.94, 1.05])
        cv2.rectangle(image, (x, y), (x + dx, y + dy), (0.35, 0.35, 0.35, 1), 1)
    for _ in range(5):
        points = np.cumsum(rng.normal(0, 1, (9, 2)) * (6, 10) + (0, 14), axis=0) + rng.uniform(0, 1, 2) * (w, h * 0.7)
        cv2.polylines(image, [points.astype(np.int32)], False, (0.33, 0.33, 0.33, 1), 1, cv2.LINE_AA)
    for _ in range(1):
        centre = int(rng.uniform(1.5, 10) * metre_u), int(rng.uniform(1, 11) * metre_v)
        axes = int(0.32 * metre_u), int(0.32 * metre_v)
        cv2.ellipse(image, centre, axes, 0, 0, 360, (0.31, 0.30, 0.29, 1), -1, cv2.LINE_AA)
        cv2.ellipse(image, centre, axes, 0, 0, 360, (0.24, 0.24, 0.23, 1), 3, cv2.LINE_AA)
    wear = 0.9 + 0.16 * noise(rng, h, w, 64, 128) + rng.normal(0, 0.04, (h, w))

    def mark(
        x0: float, x1: float, y0: float, y1: float, colour: tuple[float, float, float] = (0.90, 0.90, 0.88)
    ) -> None:
        v = slice(max(int(y0 * metre_v), 0), int(y1 * metre_v))
        u = slice(int((x0 + 5.8) * metre_u), int((x1 + 5.8) * metre_u))
        cover = np.clip(wear[v, u, None] * 1.15 - 0.12, 0, 1)
        image[v, u, :3] = image[v, u, :3] * (1 - cover) + np.array(colour, np.float32) * cover

    if zebra:
        for x in np.arange(-5.5, 5.5, 1.1):
            mark(x, x + 0.55, 4.4, 7.6)
        for y in (3.0, 8.6):
            for x in np.arange(-5.5, 5.5, 1.0):
                mark(x, x + 0.5, y, y + 0.2)
        for x in (-3.7, 0.0, 3.6):
            mark(x, x + 0.1, 0, 3.0)
            mark(x, x + 0.1, 8.8, 12)
    else:
        for y in (0.0, 6.0):
            mark(-0.06, 0.06, y, y + 3.6)
        for x in (-5.45, -5.2, 5.15, 5.4):
            mark(x, x + 0.09, 0, 12, (0.86, 0.70, 0.25))
        for side in (-3.7, 3.6):
            for y in np.arange(0.3, 12, 1.5):
                mark(side, side + 0.09, y, y + 0.75)
    return image


def _paving(rng: np.random.Generator) -> np.ndarray:
    """3.2 m across by 2.4 m along: slabs of 0.8 by 0.6 m, staggered."""
    image = _speckled(rng, 256, 256, (0.61, 0.585, 0.55), 0.03)
    for row in range(4):
        y = row * 64
        for column in range(4):
            x = (column * 64 + (row % 2) * 32) % 256
            tone = rng.normal(0, 0.045)
            for part in (slice(x, min(x + 64, 256)), slice(0, max(x + 64 - 256, 0))):
                image[y : y + 64, part, :3] *= 1 + tone
            image[y : y + 64, x : x + 2, :3] *= 0.76
        image[y : y + 2, :, :3] *= 0.76
    for _ in range(14):
        centre = tuple(int(c) for c in rng.uniform(4, 252, 2))
        cv2.circle(image, centre, int(rng.integers(1, 4)), (0.42, 0.41, 0.4, 1), -1, cv2.LINE_AA)
    return image


def _grass(rng: np.random.Generator) -> np.ndarray:
    image = solid(256, 256, (0.40, 0.47, 0.24))
    _shade(image, clouds(rng, 256, 8, 5) * 0.3 + rng.normal(0, 0.12, (256, 256)))
    image[..., 0] *= 1 + 0.15 * noise(rng, 256, 256, 16, 16)
    return image


def bricks(rng: np.random.Generator, h: int, w: int, colour: tuple[float, float, float]) -> np.ndarray:
    """Courses of 10 by 4 texels with mortar: at 42 texels a metre about a brick's size."""
    rows, columns = h // 4, w // 8
    tone = rng.normal(0, 0.09, (rows, columns))
    hue = rng.normal(0, 0.03, (rows, columns))
    y, x = np.mgrid[0:h, 0:w]
    row = y // 4
    column = ((x + 4 * (row % 2)) // 8) % columns
    image = solid(h, w, colour)
    _shade(image, tone[row, column] + 0.05 * noise(rng, h, w, 8, 8))
    image[..., 2] *= 1 + hue[row, column]
    joint = (y % 4 == 0) | ((x + 4 * (row % 2)) % 8 == 0)
    mortar = np.array([0.62, 0.59, 0.54], np.float32)
    image[joint, :3] = 0.45 * image[joint, :3] + 0.55 * mortar * (0.35 + 0.65 * float(np.mean(colour)) / 0.6)
    return image


def _roof(rng: np.random.Generator, colour: tuple[float, float, float]) -> np.ndarray:
    h = w = 256
    y, x = np.mgrid[0:h, 0:w]
    row = y // 16
    column = ((x + 6 * (row % 2)) // 12) % 22
    tone = rng.normal(0, 0.08, (17, 22))[row, column]
    edge = np.where(y % 16 < 2, -0.3, 0) + np.where((x + 6 * (row % 2)) % 12 == 0, -0.16, 0) + (y % 16) / 16 * 0.1
    return _shade(solid(h, w, colour), tone + edge + 0.08 * noise(rng, h, w, 4, 4))


def _leaves(rng: np.random.Generator, count: int, colour: tuple[float, float, float]) -> np.ndarray:
    """A tuft of leaves with holes: RGB everywhere a leaf's, so that small copies have no dark rims."""
    size = 128
    image = solid(size, size, colour, 0)
    _shade(image, clouds(rng, size, 8, 3) * 0.2)
    for _ in range(count * 3):
        radius = abs(rng.normal(0, 0.21)) * size
        angle = rng.uniform(0, 2 * np.pi)
        centre = int(size / 2 + min(radius, 56) * np.cos(angle)), int(size / 2 + min(radius, 56) * np.sin(angle))
        tone = rng.uniform(0.72, 1.28)
        shade = tuple(float(c * tone * rng.uniform(0.95, 1.06)) for c in colour)
        axes = int(rng.uniform(4, 8)), int(rng.uniform(2, 5))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, (*shade, 1), -1)
    return image


def _hedge(rng: np.random.Generator) -> np.ndarray:
    size = 256
    image = solid(size, size, (0.25, 0.33, 0.15))
    for _ in range(1500):
        x, y = rng.uniform(0, size, 2)
        tone = rng.uniform(0.65, 1.45)
        shade = (0.30 * tone, 0.41 * tone, 0.17 * tone, 1)
        axes = int(rng.uniform(2, 5)), int(rng.uniform(1, 3))
        cv2.ellipse(image, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, shade, -1)
    return image


def _bark(rng: np.random.Generator) -> np.ndarray:
    image = solid(64, 64, (0.42, 0.36, 0.30))
    return _shade(image, noise(rng, 64, 64, 4, 16) * 0.25 + rng.normal(0, 0.08, (64, 64)))


def _railing() -> np.ndarray:
    """2 m by 1.1 m of black bars with a spear's tip."""
    image = solid(128, 128, (0.13, 0.14, 0.15), 0)
    for x in range(4, 128, 9):
        image[8:, x : x + 2, 3] = 1
        image[8:14, x - 1 : x + 3, 3] = 1
    image[18:23, :, 3] = 1
    image[108:113, :, 3] = 1
    image[4:, 0:4, 3] = 1
    return image


def _planks(rng: np.random.Generator) -> np.ndarray:
    image = solid(128, 128, (0.53, 0.43, 0.32))
    for x in range(0, 128, 10):
        image[:, x : x + 10, :3] *= rng.uniform(0.82, 1.14)
        image[:, x : x + 1, :3] *= 0.5
    image[:6, :, :3] *= 0.8
    return _shade(image, noise(rng, 128, 128, 4, 64) * 0.1)


def _netting() -> np.ndarray:
    """White pickets, 1.6 m by 1 m."""
    image = solid(128, 128, (0.84, 0.83, 0.80), 0)
    for x in range(2, 128, 16):
        image[8:, x : x + 9, 3] = 1
        image[4:8, x + 2 : x + 7, 3] = 1
        image[:, x + 7 : x + 9, :3] *= 0.85
    image[30:42, :, 3] = 1
    image[90:102, :, 3] = 1
    return image


def _plaster(rng: np.random.Generator) -> np.ndarray:
    """A blind wall: stained plaster."""
    image = _speckled(rng, 256, 256, (0.90, 0.90, 0.90), 0.014)
    streaks = noise(rng, 256, 256, 4, 64) * 0.05 + noise(rng, 256, 256, 8, 8) * 0.05
    return _shade(image, streaks)


def _skyline(rng: np.random.Generator) -> np.ndarray:
    """A far line of trees, 128 m wide, its crowns cut out of the upper half."""
    h, w = 64, 512
    image = solid(h, w, (0.33, 0.39, 0.27), 0)
    top = 26 + 9 * noise(rng, h, w, 1, 16)[0] + 5 * noise(rng, h, w, 1, 64)[0] + 2 * noise(rng, h, w, 1, 256)[0]
    image[..., 3] = (np.arange(h)[:, None] > top[None, :]).astype(np.float32)
    return _shade(image, noise(rng, h, w, 16, 128) * 0.22)
