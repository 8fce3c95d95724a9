"""Cars of four shapes, their wheels, and a bicycle, as meshes. They face +z, stand on y = 0; paint takes the part's tint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeseg.synthetic.mesh import Builder, Point, painted
from edgeseg.synthetic.raster import CASTS, CUTOUT, TWO_SIDED

CAR, BICYCLIST = 8, 10
CAR_SHAPES: tuple[str, ...] = ("hatchback", "saloon", "estate", "van")
WHEEL_RADIUS = 0.31
AXLES: dict[str, tuple[float, float]] = {
    "hatchback": (-1.22, 1.24),
    "saloon": (-1.32, 1.38),
    "estate": (-1.32, 1.38),
    "van": (-1.5, 1.62),
}
"""Where the axles lie along z, metres."""
TRACK: dict[str, float] = {"hatchback": 0.78, "saloon": 0.81, "estate": 0.81, "van": 0.88}
"""How far left and right of the middle the wheels stand, metres."""

_PROFILES: dict[str, dict[str, list[float]]] = {
    # stations along z, deck height, half-width; then the cabin: base z from-to, roof z from-to, roof height
    "hatchback": {
        "z": [-1.95, -1.86, -1.2, 0.75, 1.55, 1.88, 1.98],
        "top": [0.78, 0.94, 0.96, 0.95, 0.84, 0.70, 0.60],
        "half": [0.74, 0.82, 0.85, 0.85, 0.83, 0.76, 0.68],
        "cabin": [-1.84, 0.98, -1.38, 0.10, 1.47],
    },
    "saloon": {
        "z": [-2.25, -2.17, -1.3, 0.85, 1.80, 2.14, 2.25],
        "top": [0.78, 0.96, 0.98, 0.95, 0.84, 0.70, 0.60],
        "half": [0.76, 0.84, 0.88, 0.88, 0.85, 0.78, 0.70],
        "cabin": [-1.58, 1.02, -0.92, 0.12, 1.45],
    },
    "estate": {
        "z": [-2.25, -2.17, -1.3, 0.85, 1.80, 2.14, 2.25],
        "top": [0.78, 0.96, 0.98, 0.95, 0.84, 0.70, 0.60],
        "half": [0.76, 0.84, 0.88, 0.88, 0.85, 0.78, 0.70],
        "cabin": [-2.16, 1.02, -1.86, 0.12, 1.50],
    },
    "van": {
        "z": [-2.45, -2.40, -1.4, 1.25, 2.05, 2.36, 2.45],
        "top": [1.02, 1.10, 1.12, 1.12, 1.02, 0.84, 0.70],
        "half": [0.90, 0.94, 0.95, 0.95, 0.92, 0.84, 0.76],
        "cabin": [-2.42, 1.50, -2.36, 0.78, 2.05],
    },
}


def build() -> dict[str, Builder]:
    return {shape: _car(shape) for shape in CAR_SHAPES} | {"wheel": _wheel(), "bicycle": _bicycle(), "rim": _rim()}


def _section(half: float, top: float) -> list[tuple[float, float]]:
    """Right half of a body's section from the sill up, (x, y)."""
    return [
        (half * 0.93, 0.24),
        (half, 0.48),
        (half * 0.985, top - 0.14),
        (half * 0.90, top - 0.02),
        (half * 0.55, top + 0.015),
        (0.0, top + 0.03),
    ]


def _car(shape: str) -> Builder:
    b = Builder(CAR)
    p = _PROFILES[shape]
    painted(b, True)
    b.gloss = 0.85
    z, rings = p["z"], [_section(h, t) for h, t in zip(p["half"], p["top"], strict=True)]
    normals = _section_normals(rings, z)
    first, span = z[0], z[-1] - z[0]
    for i in range(len(z) - 1):
        for k in range(5):
            for side in (1.0, -1.0):
                corners = [
                    (side * rings[j][m][0], rings[j][m][1], z[j])
                    for j, m in ((i, k), (i + 1, k), (i + 1, k + 1), (i, k + 1))
                ]
                smooth = [
                    (side * n[0], n[1], n[2])
                    for n in (normals[j][m] for j, m in ((i, k), (i + 1, k), (i + 1, k + 1), (i, k + 1)))
                ]
                flank = k < 2
                uv = (
                    [((c[2] - first) / span, 1 - (c[1] - 0.24) / 0.62) for c in corners]
                    if flank
                    else ((0.01, 0.5),) * 4
                )
                if not flank:
                    uv = [(0.02 + 0.01 * c[0], 0.3 + 0.01 * c[2]) for c in corners]
                b.quad(corners, "panel", (side, 0.5 if k > 1 else 0, 0), uv, smooth)
    for end, way, texture in ((0, -1.0, "rear"), (-1, 1.0, "front")):
        ring, wide = rings[end], p["half"][end]
        for k in range(5):
            (xa, ya), (xb, yb) = ring[k], ring[k + 1]
            corners = [(-xa, ya, z[end]), (xa, ya, z[end]), (xb, yb, z[end]), (-xb, yb, z[end])]
            top = p["top"][end] + 0.03
            uv = [(0.5 - way * c[0] / wide * 0.5, (top - c[1]) / (top - 0.2)) for c in corners]
            lean = [(0.3 * np.sign(c[0]), 0.25 * (c[1] - 0.5), way) for c in corners]
            b.quad(corners, texture, (0, 0, way), uv, lean)
    _cabin(b, p["cabin"], p["half"][2], p["top"], z, solid_rear=shape == "van")
    _details(b, shape, p)
    return b


def _section_normals(rings: list[list[tuple[float, float]]], z: list[float]) -> list[list[Point]]:
    grid = np.array([[(x, y, zi) for x, y in ring] for ring, zi in zip(rings, z, strict=True)])
    along = np.gradient(grid, axis=0)
    across = np.gradient(grid, axis=1)
    normal = np.cross(across, along)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    normal[normal[..., 0] < -1e-6] *= -1
    normal[:, -1] = (0, 1, 0)
    return normal.tolist()


def _cabin(b: Builder, cabin: list[float], half: float, tops: list[float], z: list[float], solid_rear: bool) -> None:
    base_back, base_front, roof_back, roof_front, height = cabin
    low_b = float(np.interp(base_back, z, tops)) - 0.03
    low_f = float(np.interp(base_front, z, tops)) - 0.03
    wide, roof = half * 0.91, half * 0.72
    base = [(-wide, low_b, base_back), (wide, low_b, base_back), (wide, low_f, base_front), (-wide, low_f, base_front)]
    top = [
        (-roof, height, roof_back),
        (roof, height, roof_back),
        (roof, height, roof_front),
        (-roof, height, roof_front),
    ]
    painted(b, True)
    b.gloss = 0.85
    middle = (roof_back + roof_front) / 2
    for back, front in ((roof_back, middle), (middle, roof_front)):
        for x0, x1 in ((-roof, -roof * 0.4), (-roof * 0.4, roof * 0.4), (roof * 0.4, roof)):

            def arch(x: float) -> float:
                return height + 0.045 * (1 - (x / roof) ** 2)

            corners = [(x0, arch(x0), back), (x1, arch(x1), back), (x1, arch(x1), front), (x0, arch(x0), front)]
            smooth = [(0.4 * c[0] / roof, 1.0, 0.25 * (c[2] - middle) / max(front - back, 0.1)) for c in corners]
            b.quad(corners, "panel", (0, 1, 0), ((0.02, 0.3), (0.03, 0.3), (0.03, 0.32), (0.02, 0.32)), smooth)
    for j0, j1, way in ((0, 1, (0, 0.3, -1)), (2, 3, (0, 0.3, 1)), (1, 2, (1, 0.3, 0)), (3, 0, (-1, 0.3, 0))):
        corners = [base[j0], base[j1], top[j1], top[j0]]
        painted(b, True)
        b.gloss = 0.85
        b.quad(corners, "panel", way, ((0.02, 0.3), (0.03, 0.3), (0.03, 0.32), (0.02, 0.32)))
        panes = [(0.06, 0.94)] if way[0] == 0 else ([(0.12, 0.47), (0.51, 0.86)] if not solid_rear else [(0.64, 0.9)])
        if solid_rear and way[2] < 0:
            panes = [(0.08, 0.46), (0.54, 0.92)]
        if way[0] < 0 and solid_rear:
            panes = [(0.1, 0.36)]
        painted(b, False)
        tint, b.tint = b.tint, (1, 1, 1)
        b.gloss = 1.0
        for u0, u1 in panes:
            curve = [(way[0] * 1.2, way[1] + dy, way[2] * 1.2) for dy in (-0.12, -0.12, 0.5, 0.5)]
            length = [float(np.linalg.norm(c)) for c in curve]
            smooth = [tuple(v / size for v in c) for c, size in zip(curve, length, strict=True)]
            b.quad(_inset(corners, u0, u1, 0.10, 0.90, way, 0.008), "glass", way, normals=smooth)
        b.tint = tint


def _inset(
    corners: Sequence[Point], u0: float, u1: float, v0: float, v1: float, way: Point, lift: float
) -> list[Point]:
    c = np.array(corners, float)
    w = np.array(way, float)

    def at(u: float, v: float) -> Point:
        return ((1 - v) * ((1 - u) * c[0] + u * c[1]) + v * ((1 - u) * c[3] + u * c[2]) + lift * w).tolist()

    return [at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)]


def _details(b: Builder, shape: str, p: dict[str, list[float]]) -> None:
    """Wheel arches, mirrors, the dark underside."""
    painted(b, False)
    b.gloss = 0.0
    half = p["half"][2]
    b.tint = (0.12, 0.12, 0.13)
    b.box((-half * 0.9, 0.16, p["z"][0] + 0.15), (half * 0.9, 0.27, p["z"][-1] - 0.15))
    for z in AXLES[shape]:
        for x in (-half - 0.004, half + 0.004):
            b.tint = (0.10, 0.10, 0.11)
            _disc(b, (x, WHEEL_RADIUS, z), WHEEL_RADIUS + 0.065, "white")
    painted(b, True)
    b.tint, b.gloss = (1, 1, 1), 0.5
    for side in (-1.0, 1.0):
        x, z = side * (half + 0.06), p["cabin"][1] - 0.34
        y = p["top"][3] + 0.10
        b.box((x - 0.09, y - 0.06, z - 0.05), (x + 0.09, y + 0.06, z + 0.06), bottom=True)


def _wheel() -> Builder:
    """Spins about x; its outer face looks to +x and to -x."""
    b = Builder(CAR)
    b.tint = (0.25, 0.25, 0.26)
    b.tube((-0.09, 0, 0), (0.09, 0, 0), WHEEL_RADIUS, WHEEL_RADIUS, 10)
    b.tint = (1, 1, 1)
    for x in (-0.09, 0.09):
        _disc(b, (x, 0.0, 0.0), WHEEL_RADIUS, "wheel")
    return b


def _disc(b: Builder, centre: Point, radius: float, texture: str) -> None:
    """An upright round plate seen from the side of x that its centre lies on."""
    x, y, z = centre
    angles = np.arange(11) * (2 * np.pi / 10)
    ring = [(x, y + radius * float(np.sin(a)), z + radius * float(np.cos(a))) for a in angles]
    uv = [(0.5 + 0.5 * float(np.cos(a)), 0.5 - 0.5 * float(np.sin(a))) for a in angles]
    for k in range(0, 10, 2):
        b.quad(
            [(x, y, z), ring[k], ring[k + 1], ring[k + 2]],
            texture,
            (np.sign(x), 0, 0),
            [(0.5, 0.5), uv[k], uv[k + 1], uv[k + 2]],
        )


def _bicycle() -> Builder:
    """Frame, bars, saddle of a bicycle; wheels are rims of their own."""
    b = Builder(BICYCLIST)
    painted(b, True)
    b.gloss = 0.0
    crank, seat, head, rear, front = (
        (0, 0.29, -0.06),
        (0, 0.86, -0.22),
        (0, 0.86, 0.36),
        (0, 0.34, -0.50),
        (0, 0.34, 0.52),
    )
    for start, end, radius in (
        (crank, seat, 0.022),
        (seat, head, 0.022),
        (crank, (0, 0.74, 0.40), 0.024),
        (crank, rear, 0.016),
        (seat, rear, 0.014),
        ((0, 0.98, 0.33), front, 0.018),
    ):
        b.tube(start, end, radius, radius, 4)
    painted(b, False)
    b.tint = (0.14, 0.14, 0.15)
    b.tube((-0.27, 1.02, 0.34), (0.27, 1.02, 0.34), 0.018, 0.018, 4)
    b.box((-0.07, 0.90, -0.36), (0.07, 0.96, -0.10), bottom=True)
    b.tube((-0.06, 0.29, -0.06), (0.06, 0.29, -0.06), 0.09, 0.09, 7, caps=True)
    b.tint = (0.9, 0.15, 0.12)
    b.box((-0.03, 0.70, -0.34), (0.03, 0.76, -0.30), bottom=True)
    return b


def _rim() -> Builder:
    b = Builder(BICYCLIST, CUTOUT | TWO_SIDED | CASTS)
    r = 0.345
    b.quad([(0, -r, -r), (0, -r, r), (0, r, r), (0, r, -r)], "spokes", (1, 0, 0))
    b.bits = CASTS
    b.tint = (0.13, 0.13, 0.13)
    b.tube((-0.02, 0, 0), (0.02, 0, 0), r, r, 10)
    return b
