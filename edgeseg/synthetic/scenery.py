"""What stands at the roadside, as meshes: trees, lamp posts, traffic lights, signs, beacons, bollards."""

from __future__ import annotations

import numpy as np

from edgeseg.synthetic.mesh import Builder
from edgeseg.synthetic.raster import CASTS, CUTOUT, GLOWS, LEAFY, TWO_SIDED
from edgeseg.synthetic.skins import SIGNS

POLE, TREE, SIGN = 2, 5, 6
TREES = 6


def build(seed: int) -> dict[str, Builder]:
    rng = np.random.default_rng([seed, 11])
    builders = {f"tree{i}": _tree(rng, i) for i in range(TREES)}
    builders |= {f"sign{i}": _sign(i) for i in range(SIGNS)}
    return builders | {
        "lamp": _lamp(),
        "light": _traffic_light(),
        "beacon": _beacon(),
        "bollard": _bollard(),
        "mast": _mast(),
    }


def _tree(rng: np.random.Generator, kind: int) -> Builder:
    """A trunk with boughs, and tufts of leaves around them, each lit as if on a ball."""
    b = Builder(TREE)
    tall = float(rng.uniform(6.5, 10.5))
    fork = tall * float(rng.uniform(0.28, 0.36))
    b.tube((0, -0.1, 0), (0.05, fork, 0), 0.19, 0.13, 7, "bark")
    crown = np.array([0.0, tall * 0.66, 0.0])
    reach = np.array([tall * 0.30, tall * 0.36, tall * 0.30]) * ([1, 1, 1] if kind % 3 else [0.62, 1.15, 0.62])
    for k in range(6):
        angle = 2 * np.pi * k / 6 + float(rng.uniform(-0.3, 0.3))
        tip = crown + reach * [0.75 * np.cos(angle), float(rng.uniform(-0.1, 0.6)), 0.75 * np.sin(angle)]
        middle = (np.array([0.05, fork, 0]) + tip) / 2 + [0, 0.3, 0]
        b.tube((0.05, fork - 0.1, 0), middle.tolist(), 0.09, 0.05, 4, "bark")
        b.tube(middle.tolist(), tip.tolist(), 0.05, 0.02, 4, "bark")
    b.tube((0.05, fork - 0.1, 0), (crown + np.array([0, reach[1] * 0.5, 0])).tolist(), 0.12, 0.03, 5, "bark")
    b.bits = CASTS | CUTOUT | TWO_SIDED | LEAFY
    green = np.array(
        [
            (0.84, 0.80, 0.86),
            (0.90, 0.80, 0.72),
            (0.66, 0.74, 0.76),
            (1.0, 0.78, 0.62),
            (0.76, 0.80, 0.80),
            (0.84, 0.84, 0.74),
        ][kind % 6]
    )
    lumps = rng.normal(0, 1, (7, 3))
    lumps /= np.linalg.norm(lumps, axis=1, keepdims=True)
    for _ in range(120):
        way = rng.normal(0, 1, 3)
        way /= np.linalg.norm(way)
        bulge = 0.72 + 0.28 * float(np.max(lumps @ way)) ** 2
        depth = float(rng.uniform(0.45, 1.0)) ** 0.5
        centre = crown + reach * way * bulge * depth
        facing = way + rng.normal(0, 0.7, 3)
        facing /= np.linalg.norm(facing)
        e1 = np.cross(facing, rng.normal(0, 1, 3))
        e1 /= np.linalg.norm(e1)
        e2 = np.cross(facing, e1)
        half = float(rng.uniform(0.55, 0.95)) * tall / 9
        tone = (0.62 + 0.42 * depth * (0.6 + 0.4 * way[1])) * float(rng.uniform(0.9, 1.1))
        red, leaf, blue = (green * tone).tolist()
        b.tint = (red, leaf, blue)
        corners = [(centre + half * (s * e1 + t * e2)).tolist() for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        normal = (way * [1, 1, 1] + [0, 0.25, 0]).tolist()
        b.quad(corners, "leaves" if kind % 2 else "blossom", None, normals=[normal] * 4)
    return b


def _lamp() -> Builder:
    """Arm along +x."""
    b = Builder(POLE)
    b.tint = (0.33, 0.36, 0.36)
    b.tube((0, 0, 0), (0, 1.3, 0), 0.10, 0.095, 7)
    b.tube((0, 1.3, 0), (0, 7.2, 0), 0.065, 0.05, 7)
    b.tube((0, 7.15, 0), (0.7, 7.7, 0), 0.045, 0.04, 5)
    b.tube((0.7, 7.7, 0), (1.7, 7.8, 0), 0.04, 0.035, 5)
    b.box((1.5, 7.7, -0.13), (2.3, 7.86, 0.13), bottom=True)
    return b


def _mast() -> Builder:
    b = Builder(POLE)
    b.tint = (0.38, 0.30, 0.22)
    b.tube((0, 0, 0), (0, 8.4, 0), 0.14, 0.10, 7, "bark")
    b.box((-0.9, 7.9, -0.05), (0.9, 8.02, 0.05), bottom=True)
    return b


def _traffic_light() -> Builder:
    """Its lamps face -z, where the drive comes from."""
    b = Builder(POLE)
    b.tint = (0.30, 0.31, 0.32)
    b.tube((0, 0, 0), (0, 3.5, 0), 0.062, 0.058, 7)
    b.label = SIGN
    b.tint = (0.10, 0.10, 0.11)
    b.box((-0.17, 2.45, -0.24), (0.17, 3.45, -0.02), bottom=True)
    b.box((-0.26, 2.35, -0.05), (0.26, 3.55, -0.02), bottom=True)
    for y, colour, on in (
        (3.25, (0.9, 0.1, 0.08), False),
        (2.95, (0.9, 0.55, 0.1), False),
        (2.65, (0.15, 0.95, 0.55), True),
    ):
        b.bits = CASTS | CUTOUT | (GLOWS if on else 0)
        b.tint = colour if on else (0.35 * colour[0], 0.35 * colour[1], 0.35 * colour[2])
        r = 0.115
        b.quad(
            [(-r, y - r, -0.25), (r, y - r, -0.25), (r, y + r, -0.25), (-r, y + r, -0.25)],
            "sign2",
            (0, 0, -1),
            ((0.3, 0.22), (0.7, 0.22), (0.7, 0.78), (0.3, 0.78)),
        )
        b.bits = CASTS
        b.tint = (0.10, 0.10, 0.11)
        b.tube((0, y + 0.09, -0.24), (0, y + 0.09, -0.38), 0.12, 0.12, 6, flat=0.3)
    return b


def _sign(index: int) -> Builder:
    b = Builder(POLE)
    b.tint = (0.50, 0.51, 0.52)
    plate = index >= 7
    top, half = (2.75, 0.42) if plate else (2.7, 0.36)
    b.tube((0, 0, 0), (0, top, 0), 0.04, 0.04, 6)
    b.label = SIGN
    b.bits = CASTS | CUTOUT
    for z, way, tone in ((-0.05, -1, 1.0), (-0.045, 1, 0.45)):
        b.tint = (tone, tone, tone)
        corners = [(-half, top - 2 * half, z), (half, top - 2 * half, z), (half, top, z), (-half, top, z)]
        b.quad(corners, f"sign{index}", (0, 0, way))
    return b


def _beacon() -> Builder:
    """The striped post with an amber globe at a zebra crossing."""
    b = Builder(POLE)
    for k in range(8):
        b.tint = (0.9, 0.9, 0.9) if k % 2 else (0.08, 0.08, 0.09)
        b.tube((0, k * 0.35, 0), (0, k * 0.35 + 0.35, 0), 0.05, 0.05, 7)
    b.tint = (1.0, 0.62, 0.12)
    b.label = SIGN
    b.ball((0, 2.95, 0), (0.17, 0.17, 0.17), 4, 8)
    return b


def _bollard() -> Builder:
    b = Builder(POLE)
    b.tint = (0.14, 0.15, 0.15)
    b.tube((0, 0, 0), (0, 0.9, 0), 0.075, 0.06, 7, caps=True)
    b.tint = (0.85, 0.85, 0.8)
    b.tube((0, 0.68, 0), (0, 0.78, 0), 0.072, 0.07, 7)
    return b
