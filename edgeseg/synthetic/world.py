"""The street itself, in chunks of 24 m that follow from the seed and their number alone.

Along the road z grows; x is right of the road's middle. The road bends by shearing: at z its middle lies at x = bend(z).
Ten chunks make a zone of 240 m with one side street and one zebra crossing, where the drive halts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeseg.synthetic import buildings
from edgeseg.synthetic.buildings import side_on, tiling
from edgeseg.synthetic.mesh import Builder, Library, Mesh, linear
from edgeseg.synthetic.parts import Parts, object_id, place
from edgeseg.synthetic.raster import CASTS, CUTOUT, GRITTY, TWO_SIDED
from edgeseg.synthetic.scenery import TREES
from edgeseg.synthetic.skins import SIGNS
from edgeseg.synthetic.vehicles import AXLES, CAR, CAR_SHAPES, TRACK, WHEEL_RADIUS

BUILDING, ROAD, PAVEMENT, TREE, FENCE = 1, 3, 4, 5, 7
CHUNK, ZONE = 24.0, 240.0
ZEBRA = 186.0
"""Metres into a zone where the crossing's middle lies."""
HALF_ROAD, FOOTWAY = 5.8, 9.1
KERB = 0.12
PAINTS = (
    (0.70, 0.71, 0.73),
    (0.58, 0.60, 0.63),
    (0.16, 0.17, 0.19),
    (0.10, 0.17, 0.36),
    (0.55, 0.07, 0.08),
    (0.80, 0.80, 0.79),
    (0.14, 0.30, 0.28),
    (0.33, 0.46, 0.62),
    (0.62, 0.58, 0.50),
    (0.30, 0.31, 0.34),
    (0.70, 0.16, 0.10),
    (0.76, 0.62, 0.16),
)
_SPLITS = ((12, 12), (9, 6, 9), (6, 9, 9), (6, 6, 12), (12, 6, 6), (9, 9, 6), (15, 9))


@dataclass(frozen=True, eq=False)
class Chunk:
    """mesh and parts of 24 m of street, z from the chunk's start, x along the world's axis."""

    mesh: Mesh
    parts: Parts


class World:
    """Bends and chunks. `library` holds what parts refer to."""

    def __init__(self, seed: int, library: Library) -> None:
        self.seed, self.library = seed, library
        rng = np.random.default_rng([seed, 5])
        self._waves = [
            (float(rng.uniform(5, 9)), 2 * np.pi / float(rng.uniform(280, 380)), float(rng.uniform(0, 6.28))),
            (float(rng.uniform(0.8, 2.0)), 2 * np.pi / float(rng.uniform(120, 170)), float(rng.uniform(0, 6.28))),
        ]

    def bend(self, z: np.ndarray | float) -> np.ndarray:
        return sum((a * np.sin(k * np.asarray(z) + p) for a, k, p in self._waves), np.zeros(()))

    def slope(self, z: np.ndarray | float) -> np.ndarray:
        return sum((a * k * np.cos(k * np.asarray(z) + p) for a, k, p in self._waves), np.zeros(()))

    def chunk(self, number: int) -> Chunk:
        """The chunk from z = 24 number on. Any integer."""
        rng = np.random.default_rng([self.seed, 13, number & 0xFFFFFFFF])
        spot = number % 10
        b = Builder()
        stand: list[tuple[str, float, float, float, float, float, tuple[float, float, float], int, int]] = []
        _ground(b, rng, spot)
        for side in (-1, 1):
            crossing = spot == 3 and _has_side_street(self.seed, number, side)
            _frontage(b, rng, side, self._kind(number, side), crossing, stand)
            _kerbside(b, rng, side, spot, crossing, stand)
            _parked(rng, number, side, spot, crossing, stand)
        start = number * CHUNK
        mesh = b.build()
        mesh = mesh.bent(self.bend(start + mesh.pos[..., 2].astype(np.float64)).astype(np.float32))
        return Chunk(mesh, self._parts(stand, start))

    def _kind(self, number: int, side: int) -> str:
        rng = np.random.default_rng([self.seed, 17, (number // 3) & 0xFFFFFFFF, side + 1])
        return str(rng.choice(["shops", "terrace", "park", "modern"], p=[0.36, 0.30, 0.18, 0.16]))

    def _parts(self, stand: list, start: float) -> Parts:
        names = [s[0] for s in stand]
        x, y, z, yaw, scale = (np.array([s[i] for s in stand], float) for i in range(1, 6))
        root = np.stack([x + self.bend(start + z), y, z], axis=1)
        turned = yaw + np.arctan(self.slope(start + z))
        radii = np.array([self.library.radii[n] for n in names]) * scale
        return Parts(
            np.array([self.library.spans[n] for n in names], np.int32).reshape(-1, 2),
            place(root, turned, scale=scale),
            np.array([linear(s[6]) for s in stand], float).reshape(-1, 3),
            np.array([(s[7], s[8]) for s in stand], np.int32).reshape(-1, 2),
            radii,
        )


def _has_side_street(seed: int, number: int, side: int) -> bool:
    return bool(np.random.default_rng([seed, 19, number & 0xFFFFFFFF, side + 1]).random() < 0.75)


def _ground(b: Builder, rng: np.random.Generator, spot: int) -> None:
    b.bits = GRITTY
    b.label = ROAD
    worn = [str(t) for t in rng.choice(["road", "road_worn"], 2)]
    for k in range(4):
        z0, z1 = 6.0 * k, 6.0 * k + 6
        texture = "road_zebra" if spot == 7 and k >= 2 else worn[k // 2]
        v = (k % 2) * 0.5
        b.quad(
            [(-HALF_ROAD, 0, z0), (HALF_ROAD, 0, z0), (HALF_ROAD, 0, z1), (-HALF_ROAD, 0, z1)],
            texture,
            (0, 1, 0),
            ((0, v), (1, v), (1, v + 0.5), (0, v + 0.5)),
        )


def _footway(b: Builder, side: int, z0: float, z1: float) -> None:
    b.label, b.bits, b.tint = PAVEMENT, GRITTY, (1, 1, 1)
    steps = max(1, round((z1 - z0) / 6))
    for k in range(steps):
        a, c = z0 + (z1 - z0) * k / steps, z0 + (z1 - z0) * (k + 1) / steps
        edge, inner, outer = side * HALF_ROAD, side * (HALF_ROAD + 0.16), side * FOOTWAY
        b.quad(side_on(side, edge, 0, KERB, a, c), "kerb", (-side, 0, 0), tiling(0, (c - a) / 0.9, 0.2))
        b.quad(
            [(edge, KERB, a), (inner, KERB, a), (inner, KERB, c), (edge, KERB, c)],
            "kerb",
            (0, 1, 0),
            ((0, 0), (0.2, 0), (0.2, 5), (0, 5)),
        )
        b.quad(
            [(inner, KERB, a), (outer, KERB, a), (outer, KERB, c), (inner, KERB, c)],
            "paving",
            (0, 1, 0),
            ((0, a / 2.4), (1, a / 2.4), (1, c / 2.4), (0, c / 2.4)),
        )


def _frontage(b: Builder, rng: np.random.Generator, side: int, kind: str, crossing: bool, stand: list) -> None:
    """Footway, what is behind it, and a side street where there is one."""
    spans = [(0.0, 6.0), (15.0, 24.0)] if crossing else [(0.0, 24.0)]
    for z0, z1 in spans:
        _footway(b, side, z0, z1)
        _behind(b, side, z0, z1, kind)
    if crossing:
        _side_street(b, side)
    setback = {"shops": 0.0, "terrace": float(rng.choice([0.0, 2.4])), "modern": 1.2, "park": 0.0}[kind]
    if kind == "park":
        for z0, z1 in spans:
            _park(b, rng, side, z0, z1, stand)
        return
    widths = _SPLITS[int(rng.integers(len(_SPLITS)))]
    lots = (
        [(z0, z1) for z0, z1 in spans]
        if crossing
        else [(float(sum(widths[:i])), float(sum(widths[: i + 1]))) for i in range(len(widths))]
    )
    front = side * (FOOTWAY + setback)
    for z0, z1 in lots:
        if kind == "terrace" and not crossing and rng.random() < 0.16:
            _yard(b, rng, side, z0, z1, stand)
            continue
        buildings.add_building(b, rng, side, front, z0, z1, kind)
        if setback > 2:
            _garden(b, rng, side, z0, z1)


def _behind(b: Builder, side: int, z0: float, z1: float, kind: str) -> None:
    b.bits, b.tint = 0, (1, 1, 1)
    b.label, texture = (TREE, "grass") if kind in ("park", "terrace") else (PAVEMENT, "paving")
    near, far = side * FOOTWAY, side * 60
    b.quad(
        [(near, KERB - 0.02, z0), (far, KERB - 0.02, z0), (far, KERB - 0.02, z1), (near, KERB - 0.02, z1)],
        texture,
        (0, 1, 0),
        ((0, z0 / 3), (17, z0 / 3), (17, z1 / 3), (0, z1 / 3)),
    )


def _side_street(b: Builder, side: int) -> None:
    b.bits, b.label, b.tint = GRITTY, ROAD, (1, 1, 1)
    near, far = side * HALF_ROAD, side * 60
    b.quad(
        [(near, 0.0, 6), (far, 0.0, 6), (far, 0.0, 15), (near, 0.0, 15)],
        "lane",
        (0, 1, 0),
        ((0, 0), (10, 0), (10, 1.5), (0, 1.5)),
    )
    b.bits, b.tint = 0, (0.95, 0.95, 0.93)
    x0, x1, y = near, near + side * 0.3, 0.012
    for z in np.arange(6.6, 14.5):
        b.quad([(x0, y, z), (x1, y, z), (x1, y, z + 0.5), (x0, y, z + 0.5)], "white", (0, 1, 0))
    b.tint, b.bits, b.label = (1, 1, 1), CASTS, BUILDING
    for z, way in ((3.0, 1), (18.0, -1)):
        x0, x1 = side * 19.0, side * 43.0
        first, last = (x1, x0) if (way < 0) == (side < 0) else (x0, x1)
        b.quad([(first, 0, z), (last, 0, z), (last, 9, z), (first, 9, z)], "wall0", (0, 0, way), tiling(0, 2, 0.75))
    first, last = (0.0, 24.0) if side < 0 else (24.0, 0.0)
    b.quad(
        [(side * 58, 0, first), (side * 58, 0, last), (side * 58, 8, last), (side * 58, 8, first)],
        "wall1",
        (-side, 0, 0),
        tiling(0, 2, 0.66),
    )


def _strip(
    b: Builder, side: int, x: float, z0: float, z1: float, low: float, high: float, texture: str, repeat: float
) -> None:
    """An upright strip along the road in pieces that follow its bend."""
    steps = max(1, round((z1 - z0) / 6))
    for k in range(steps):
        a, c = z0 + (z1 - z0) * k / steps, z0 + (z1 - z0) * (k + 1) / steps
        b.quad(side_on(side, x, low, high, a, c), texture, (-side, 0, 0), tiling(0, (c - a) / repeat, 1))


def _hedge(b: Builder, side: int, x: float, z0: float, z1: float, tall: float) -> None:
    b.label, b.bits, b.tint = TREE, CASTS, (1, 1, 1)
    low, high = sorted((x, x + side * 0.7))
    b.box((low, 0.1, z0), (high, tall, z1), "hedge", 2.2)


def _garden(b: Builder, rng: np.random.Generator, side: int, z0: float, z1: float) -> None:
    x = side * (FOOTWAY + 0.12)
    choice = int(rng.integers(4))
    if choice == 0:
        _hedge(b, side, x, z0 + 1.2, z1, float(rng.uniform(0.9, 1.5)))
        return
    b.label, b.tint = FENCE, (1, 1, 1)
    b.bits = CASTS | CUTOUT | TWO_SIDED
    texture, tall = (("railing", 1.15), ("netting", 0.95), ("railing", 1.15))[choice - 1]
    _strip(b, side, x, z0 + 1.2, z1, KERB, KERB + tall, texture, 1.9)


def _yard(b: Builder, rng: np.random.Generator, side: int, z0: float, z1: float, stand: list) -> None:
    """A gap between houses behind planks, with a tree."""
    b.label, b.bits, b.tint = FENCE, CASTS | TWO_SIDED, (1, 1, 1)
    _strip(b, side, side * (FOOTWAY + 0.1), z0, z1, KERB, KERB + 1.75, "planks", 2.0)
    for _ in range(2):
        _tree(rng, stand, side * float(rng.uniform(12, 18)), float(rng.uniform(z0 + 1, z1 - 1)), 0.9)


def _park(b: Builder, rng: np.random.Generator, side: int, z0: float, z1: float, stand: list) -> None:
    b.label, b.tint, b.bits = FENCE, (1, 1, 1), CASTS | CUTOUT | TWO_SIDED
    _strip(b, side, side * (FOOTWAY + 0.1), z0, z1, KERB, KERB + 1.3, "railing", 2.0)
    if rng.random() < 0.5:
        _hedge(b, side, side * (FOOTWAY + 0.5), z0, z1, float(rng.uniform(0.8, 1.6)))
    for _ in range(max(1, int((z1 - z0) / 5))):
        _tree(rng, stand, side * float(rng.uniform(12, 34)), float(rng.uniform(z0, z1)), 1.1)


def _tree(rng: np.random.Generator, stand: list, x: float, z: float, size: float) -> None:
    scale = size * float(rng.uniform(0.8, 1.15))
    stand.append((f"tree{rng.integers(TREES)}", x, KERB, z, float(rng.uniform(0, 6.28)), scale, (1, 1, 1), -1, 0))


def _kerbside(b: Builder, rng: np.random.Generator, side: int, spot: int, crossing: bool, stand: list) -> None:
    """Lamps, trees, signs, lights, bollards, guard rails along the kerb."""
    x = side * (HALF_ROAD + 0.5)
    white = (1.0, 1.0, 1.0)
    if (spot + (side > 0)) % 2 == 0:
        stand.append(("lamp", x, KERB, 11.0 + 4 * (side > 0) - 7 * crossing, np.pi * (side > 0), 1.0, white, -1, 0))
    if spot == 7:
        stand.extend(("beacon", side * (HALF_ROAD + 0.35), KERB, z, 0.0, 1.0, white, -1, 0) for z in (16.0, 20.2))
    if crossing or spot in (6, 7):
        b.label, b.bits, b.tint = FENCE, CASTS | CUTOUT | TWO_SIDED, (1.9, 2.0, 2.0)
        z0, z1 = (16.0, 22.5) if crossing else ((15.0, 24.0) if spot == 6 else (0.0, 14.5))
        _strip(b, side, side * (HALF_ROAD + 0.28), z0, z1, KERB, KERB + 1.05, "railing", 2.0)
    elif rng.random() < 0.45:
        for z in rng.permutation([3.5, 8.0, 16.0, 20.5])[: int(rng.integers(1, 4))]:
            _tree(rng, stand, side * (HALF_ROAD + 1.0), float(z), 0.72)
    elif rng.random() < 0.3:
        stand.extend(("bollard", x, KERB, z, 0.0, 1.0, white, -1, 0) for z in np.arange(2.0, 14.0, 2.4))
    if spot == 3:
        lights = (4.6, 16.2) if side < 0 else (4.9,)
        stand.extend(("light", side * (HALF_ROAD + 0.4), KERB, z, 0.0, 1.0, white, -1, 0) for z in lights)
    stand.extend(
        (f"sign{rng.integers(SIGNS)}", side * (HALF_ROAD + 0.45), KERB, z, 0.0, 1.0, white, -1, 0)
        for z in (1.5, 13.2, 22.8)
        if rng.random() < (0.45 if side < 0 else 0.28)
    )
    if rng.random() < 0.12:
        stand.append(("mast", side * (FOOTWAY - 0.3), KERB, 6.0, np.pi / 2, 1.0, white, -1, 0))


def _parked(rng: np.random.Generator, number: int, side: int, spot: int, crossing: bool, stand: list) -> None:
    busy = rng.random() * 0.85
    for slot in range(4):
        z = 3.0 + 6.0 * slot + float(rng.uniform(-0.5, 0.5))
        shape = str(rng.choice(CAR_SHAPES, p=[0.42, 0.26, 0.2, 0.12]))
        paint = PAINTS[int(rng.integers(len(PAINTS)))]
        x = side * (HALF_ROAD - 1.12 + float(rng.uniform(-0.08, 0.1)))
        yaw = (0.0 if side < 0 or rng.random() < 0.3 else np.pi) + float(rng.uniform(-0.03, 0.03))
        if rng.random() > busy or crossing or (spot == 7 and slot >= 1) or (spot == 8 and slot == 0):
            continue
        name = object_id(0 if side < 0 else 1, number * 4 + slot)
        stand.append((shape, x, 0.0, z, yaw, 1.0, paint, CAR, name))
        for dz in AXLES[shape]:
            for dx in (-TRACK[shape], TRACK[shape]):
                px, pz = np.cos(yaw) * dx + np.sin(yaw) * dz, -np.sin(yaw) * dx + np.cos(yaw) * dz
                stand.append(("wheel", x + px, WHEEL_RADIUS, z + pz, yaw, 1.0, (1, 1, 1), CAR, name))
