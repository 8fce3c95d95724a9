"""Houses and shops along a side of the road, added to a chunk's builder."""

from __future__ import annotations

import numpy as np

from edgeseg.synthetic import facades
from edgeseg.synthetic.mesh import Builder, Point
from edgeseg.synthetic.raster import CASTS, TWO_SIDED

BUILDING, SIGN = 1, 6
FLOOR, BAY = 3.0, 3.0
_PASTELS = (
    (1.0, 1.0, 1.0),
    (1.0, 0.93, 0.80),
    (0.86, 0.93, 1.0),
    (1.0, 0.86, 0.80),
    (0.88, 0.98, 0.88),
    (0.95, 0.95, 0.95),
)


def side_on(side: int, x: float, y0: float, y1: float, z0: float, z1: float) -> list[Point]:
    """A wall along the road as seen from it: lower left, lower right, upper right, upper left. side -1 is left."""
    first, last = (z0, z1) if side < 0 else (z1, z0)
    return [(x, y0, first), (x, y0, last), (x, y1, last), (x, y1, first)]


def tiling(u0: float, u: float, v: float) -> list[Point]:
    return [(u0, v), (u0 + u, v), (u0 + u, 0.0), (u0, 0.0)]


def add_building(b: Builder, rng: np.random.Generator, side: int, x: float, z0: float, z1: float, kind: str) -> None:
    """One building with its front at x, between z0 and z1; kind is shops, terrace or modern."""
    b.label, b.bits = BUILDING, CASTS
    floors = int(rng.integers(1, 4)) if kind != "modern" else int(rng.integers(3, 6))
    style = int(rng.choice({"shops": [0, 1, 2, 3, 4, 6], "terrace": [0, 1, 2, 4, 6], "modern": [5, 7, 3]}[kind]))
    tone = float(rng.uniform(0.9, 1.08))
    pastel = _PASTELS[int(rng.integers(len(_PASTELS)))] if style in (2, 6) else (1.0, 1.0, 1.0)
    tint = (tone * pastel[0], tone * pastel[1], tone * pastel[2])
    ground = 3.4 if kind == "shops" else 3.0
    base, eaves, depth = 0.1, 0.1 + ground + floors * FLOOR, float(rng.uniform(8, 10))
    back = x + side * depth
    b.tint, b.gloss = tint, 0.75
    bays = (z1 - z0) / BAY
    wall = f"wall{style}"
    u0 = int(rng.integers(4)) / 4
    b.quad(side_on(side, x, base + ground, eaves, z0, z1), wall, (-side, 0, 0), tiling(u0, bays / 4, floors / 4))
    _street_level(b, rng, side, x, base, ground, z0, z1, kind, wall)
    b.gloss = 0.0
    b.tint = (0.96 * tint[0], 0.96 * tint[1], 0.96 * tint[2])
    plain = wall if style in (5, 7) else {0: "brick", 4: "brick", 1: "buff", 3: "buff"}.get(style, "plaster")
    for z, way in ((z0, -1), (z1, 1)):
        scale = 12.0 if plain == wall else 6.0
        b.quad(
            [(x, base, z), (back, base, z), (back, eaves, z), (x, eaves, z)],
            plain,
            (0, 0, way),
            tiling(0, depth / scale, (eaves - base) / scale),
        )
    if style in (5, 7) or (style == 3 and rng.random() < 0.6):
        _flat_roof(b, side, x, back, eaves, z0, z1)
    else:
        _gable(b, rng, side, x, back, eaves, z0, z1, plain)


def _street_level(
    b: Builder,
    rng: np.random.Generator,
    side: int,
    x: float,
    base: float,
    ground: float,
    z0: float,
    z1: float,
    kind: str,
    wall: str,
) -> None:
    if kind == "modern":
        b.quad(side_on(side, x, base, base + ground, z0, z1), wall, (-side, 0, 0), tiling(0, (z1 - z0) / BAY / 4, 0.25))
        return
    count = max(1, round((z1 - z0) / 6))
    wide = (z1 - z0) / count
    for k in range(count):
        a, c = z0 + k * wide, z0 + (k + 1) * wide
        if kind == "terrace":
            b.quad(side_on(side, x, base, base + ground, a, c), f"house{rng.integers(facades.HOUSES)}", (-side, 0, 0))
            continue
        shop = int(rng.integers(facades.SHOPS))
        b.quad(side_on(side, x, base, base + ground, a, c), f"shop{shop}", (-side, 0, 0))
        if rng.random() < 0.35:
            _awning(b, rng, side, x, base + 2.62, a + 0.3, c - 0.3)
        if rng.random() < 0.5:
            _hanging_sign(b, side, x, base + 3.5, a + 0.4, shop)
    gloss, b.gloss, tint, b.tint = b.gloss, 0.0, b.tint, (0.62, 0.60, 0.57)
    if kind == "shops":
        _ledge(b, side, x, base + ground - 0.06, 0.16, 0.28, z0, z1)
    b.gloss, b.tint = gloss, tint


def _ledge(b: Builder, side: int, x: float, y: float, tall: float, out: float, z0: float, z1: float) -> None:
    edge = x - side * out
    b.quad(side_on(side, edge, y, y + tall, z0, z1), "white", (-side, 0, 0))
    b.quad([(x, y + tall, z0), (edge, y + tall, z0), (edge, y + tall, z1), (x, y + tall, z1)], "white", (0, 1, 0))
    b.quad([(x, y, z0), (edge, y, z0), (edge, y, z1), (x, y, z1)], "white", (0, -1, 0))
    for z, way in ((z0, -1), (z1, 1)):
        b.quad([(x, y, z), (edge, y, z), (edge, y + tall, z), (x, y + tall, z)], "white", (0, 0, way))


def _awning(b: Builder, rng: np.random.Generator, side: int, x: float, y: float, z0: float, z1: float) -> None:
    tint, gloss, b.gloss = b.tint, b.gloss, 0.0
    colour = [(0.62, 0.14, 0.14), (0.16, 0.34, 0.25), (0.18, 0.25, 0.45), (0.85, 0.80, 0.68)][int(rng.integers(4))]
    stripes = max(2, round((z1 - z0) / 0.6))
    bits, b.bits = b.bits, CASTS | TWO_SIDED
    out = x - side * 1.25
    for k in range(stripes):
        a, c = z0 + (z1 - z0) * k / stripes, z0 + (z1 - z0) * (k + 1) / stripes
        b.tint = colour if k % 2 else (0.9, 0.88, 0.83)
        b.quad(
            [(x - side * 0.02, y, a), (x - side * 0.02, y, c), (out, y - 0.55, c), (out, y - 0.55, a)],
            "white",
            (-side, 1, 0),
        )
        b.quad([(out, y - 0.55, a), (out, y - 0.55, c), (out, y - 0.75, c), (out, y - 0.75, a)], "white", (-side, 0, 0))
    b.tint, b.bits, b.gloss = tint, bits, gloss


def _hanging_sign(b: Builder, side: int, x: float, y: float, z: float, shop: int) -> None:
    label, b.label, gloss, b.gloss = b.label, SIGN, b.gloss, 0.0
    tint, b.tint = b.tint, (1, 1, 1)
    a, c = x - side * 0.15, x - side * 1.0
    low, high = (min(a, c), max(a, c))
    for dz, way in ((-0.04, -1), (0.04, 1)):
        left, right = (low, high) if way < 0 else (high, low)
        b.quad(
            [(left, y, z + dz), (right, y, z + dz), (right, y + 0.62, z + dz), (left, y + 0.62, z + dz)],
            f"shop{shop}",
            (0, 0, way),
            ((0.2, 0.2), (0.8, 0.2), (0.8, 0.03), (0.2, 0.03)),
        )
    b.label, b.gloss, b.tint = label, gloss, tint


def _flat_roof(b: Builder, side: int, x: float, back: float, eaves: float, z0: float, z1: float) -> None:
    b.tint = (0.72, 0.71, 0.69)
    _ledge(b, side, x, eaves - 0.1, 0.55, 0.14, z0, z1)
    b.tint = (0.5, 0.5, 0.5)
    b.quad(
        [(x, eaves + 0.4, z0), (back, eaves + 0.4, z0), (back, eaves + 0.4, z1), (x, eaves + 0.4, z1)],
        "white",
        (0, 1, 0),
    )


def _gable(
    b: Builder,
    rng: np.random.Generator,
    side: int,
    x: float,
    back: float,
    eaves: float,
    z0: float,
    z1: float,
    plain: str,
) -> None:
    """A roof with its ridge along the road, gable walls, a gutter, chimneys, perhaps a dormer."""
    middle, ridge = (x + back) / 2, eaves + abs(back - x) * float(rng.uniform(0.28, 0.36))
    for z, way in ((z0, -1), (z1, 1)):
        b.quad(
            [(x, eaves, z), (back, eaves, z), (middle, ridge, z), (middle, ridge, z)],
            plain,
            (0, 0, way),
            ((0, 1), (1.5, 1), (0.75, 0.5), (0.75, 0.5)),
        )
    wall_tint, texture = b.tint, str(rng.choice(["slate", "slate", "tiles"]))
    b.tint = (1, 1, 1)
    slope = float(np.hypot(ridge - eaves, middle - x))
    for front, way in ((x - side * 0.3, -side), (back + side * 0.3, side)):
        low = eaves - 0.12
        b.quad(
            [(front, low, z0), (front, low, z1), (middle, ridge, z1), (middle, ridge, z0)],
            texture,
            (way, 1.0, 0),
            tiling(0, (z1 - z0) / 4, slope / 4),
        )
    b.tint = (0.85, 0.84, 0.81)
    b.quad(side_on(side, x - side * 0.3, eaves - 0.28, eaves - 0.1, z0, z1), "white", (-side, 0, 0))
    b.quad(
        [
            (x, eaves - 0.28, z0),
            (x - side * 0.3, eaves - 0.28, z0),
            (x - side * 0.3, eaves - 0.28, z1),
            (x, eaves - 0.28, z1),
        ],
        "white",
        (0, -1, 0),
    )
    b.tint = wall_tint
    for z in (z0 + 0.6, z1 - 0.6):
        if rng.random() < 0.6:
            b.tint = (1, 1, 1)
            b.box((middle - 0.45, ridge - 0.7, z - 0.4), (middle + 0.45, ridge + 1.2, z + 0.4), "brick", 6.0)
            b.tint = (0.62, 0.40, 0.30)
            for dx in (-0.22, 0.22):
                b.tube((middle + dx, ridge + 1.2, z), (middle + dx, ridge + 1.65, z), 0.13, 0.11, 6)
            b.tint = wall_tint
