"""Faces, and the builder that makes boxes, tubes and balls of them.

Lengths are metres; x right, y up, z ahead. A face is a flat quad (a triangle repeats its last corner).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgeseg.synthetic.raster import CASTS, PAINTED
from edgeseg.synthetic.textures import TEX

Point = Sequence[float]
Colour = tuple[float, float, float]
FULL = ((0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0))
"""Texture corners of a quad given from its lower left, counter-clockwise as seen."""


def linear(colour: Colour) -> tuple[float, float, float]:
    """A displayed RGB colour, 0..1, as a linear BGR tint."""
    return colour[2] ** 2, colour[1] ** 2, colour[0] ** 2


@dataclass(frozen=True, eq=False)
class Mesh:
    """pos float32 [F, 4, 3]; nrm float32 [F, 3, 3]; uv float32 [F, 3, 2]; info int32 [F, 3] texture, label, bits; tint
    float32 [F, 3] linear BGR; gloss float32 [F]."""

    pos: np.ndarray
    nrm: np.ndarray
    uv: np.ndarray
    info: np.ndarray
    tint: np.ndarray
    gloss: np.ndarray

    @cached_property
    def planes(self) -> np.ndarray:
        """float32 [F, 4]: (a, b, c, d) of each face, a x + b y + c z > d on the side that is seen."""
        pos = self.pos.astype(np.float64)
        normal = np.cross(pos[:, 1] - pos[:, 0], pos[:, 2] - pos[:, 0])
        return np.concatenate([normal, (normal * pos[:, 0]).sum(-1, keepdims=True)], axis=1).astype(np.float32)

    def bent(self, bend: np.ndarray) -> Mesh:
        """The mesh with bend [F, 4] added to its corners' x."""
        pos = self.pos.copy()
        pos[..., 0] += bend
        return Mesh(pos, self.nrm, self.uv, self.info, self.tint, self.gloss)


class Builder:
    """Collects faces. `label`, `bits`, `gloss` and `tint` hold for the faces added while they are set."""

    def __init__(self, label: int = 0, bits: int = CASTS) -> None:
        self.label, self.bits, self.gloss = label, bits, 0.0
        self.tint: Colour = (1.0, 1.0, 1.0)
        self._pos: list[Sequence[Point]] = []
        self._nrm: list[Sequence[Point]] = []
        self._uv: list[Sequence[Point]] = []
        self._info: list[tuple[int, int, int]] = []
        self._tint: list[tuple[float, float, float]] = []
        self._gloss: list[float] = []

    def quad(
        self,
        corners: Sequence[Point],
        texture: str = "white",
        outward: Point | None = None,
        uv: Sequence[Point] = FULL,
        normals: Sequence[Point] | None = None,
    ) -> None:
        """outward: any vector on the side that is seen. normals: of the four corners, for smooth light."""
        (x0, y0, z0), (x1, y1, z1), (x2, y2, z2) = corners[0], corners[1], corners[2]
        ax, ay, az, bx, by, bz = x1 - x0, y1 - y0, z1 - z0, x2 - x0, y2 - y0, z2 - z0
        n = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
        length = (n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) ** 0.5
        if length < 1e-9:
            return
        n = (n[0] / length, n[1] / length, n[2] / length)
        order = (0, 1, 2, 3)
        if outward is not None and n[0] * outward[0] + n[1] * outward[1] + n[2] * outward[2] < 0:
            order = (3, 2, 1, 0) if tuple(corners[3]) != tuple(corners[2]) else (0, 2, 1, 1)
            n = (-n[0], -n[1], -n[2])
        self._pos.append([corners[i] for i in order])
        self._nrm.append([normals[i] for i in order[:3]] if normals is not None else (n, n, n))
        self._uv.append([uv[i] for i in order[:3]])
        self._info.append((TEX[texture], self.label, self.bits))
        self._tint.append(linear(self.tint))
        self._gloss.append(self.gloss)

    def box(self, low: Point, high: Point, texture: str = "white", grid: float = 0.0, bottom: bool = False) -> None:
        """grid: metres a texture's repeat; 0 stretches it over each side."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        dx, dy, dz = x1 - x0, y1 - y0, z1 - z0

        def uv(du: float, dv: float) -> Sequence[Point]:
            u, v = (du / grid, dv / grid) if grid else (1.0, 1.0)
            return ((0, v), (u, v), (u, 0), (0, 0))

        self.quad([(x0, y0, z0), (x1, y0, z0), (x1, y1, z0), (x0, y1, z0)], texture, (0, 0, -1), uv(dx, dy))
        self.quad([(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)], texture, (0, 0, 1), uv(dx, dy))
        self.quad([(x0, y0, z0), (x0, y0, z1), (x0, y1, z1), (x0, y1, z0)], texture, (-1, 0, 0), uv(dz, dy))
        self.quad([(x1, y0, z0), (x1, y0, z1), (x1, y1, z1), (x1, y1, z0)], texture, (1, 0, 0), uv(dz, dy))
        self.quad([(x0, y1, z0), (x1, y1, z0), (x1, y1, z1), (x0, y1, z1)], texture, (0, 1, 0), uv(dx, dz))
        if bottom:
            self.quad([(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)], texture, (0, -1, 0), uv(dx, dz))

    def tube(
        self,
        start: Point,
        end: Point,
        first: float,
        last: float,
        sides: int = 6,
        texture: str = "white",
        flat: float = 1.0,
        caps: bool = False,
    ) -> None:
        """A tapering tube from start to end with radii first and last; flat squeezes it along its second axis."""
        a, b = np.array(start, float), np.array(end, float)
        axis = (b - a) / np.linalg.norm(b - a)
        helper = np.array([0.0, 0, 1]) if abs(axis[2]) < 0.9 else np.array([0.0, 1, 0])
        e1 = np.cross(axis, helper)
        e1 /= np.linalg.norm(e1)
        e2 = np.cross(axis, e1) * flat
        angles = np.arange(sides + 1) * (2 * np.pi / sides)
        ring = np.cos(angles)[:, None] * e1 + np.sin(angles)[:, None] * e2
        normals = np.cos(angles)[:, None] * e1 + np.sin(angles)[:, None] * (e2 / flat**2)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        length = float(np.linalg.norm(b - a))
        low, high = (a + first * ring).tolist(), (b + last * ring).tolist()
        around = normals.tolist()
        for i in range(sides):
            self.quad(
                [low[i], low[i + 1], high[i + 1], high[i]],
                texture,
                around[i],
                ((i / sides, length), ((i + 1) / sides, length), ((i + 1) / sides, 0), (i / sides, 0)),
                [around[i], around[i + 1], around[i + 1], around[i]],
            )
            if caps:
                for ring_points, centre, way in ((low, a, -axis), (high, b, axis)):
                    point = centre.tolist()
                    self.quad([point, ring_points[i], ring_points[i + 1], ring_points[i + 1]], texture, way.tolist())

    def ball(
        self, centre: Point, radii: Point, rings: int = 4, sides: int = 7, texture: str = "white", lowest: float = -1.0
    ) -> None:
        """An ellipsoid; lowest (-1..1) cuts it off below that share of its height."""
        c, r = np.array(centre, float), np.array(radii, float)
        begin = np.arcsin(lowest)
        for k in range(rings):
            t0 = begin + (np.pi / 2 - begin) * k / rings
            t1 = begin + (np.pi / 2 - begin) * (k + 1) / rings
            for i in range(sides):
                p0, p1 = 2 * np.pi * i / sides, 2 * np.pi * (i + 1) / sides
                unit = np.array(
                    [
                        (np.cos(t) * np.cos(p), np.sin(t), np.cos(t) * np.sin(p))
                        for t, p in ((t0, p0), (t0, p1), (t1, p1), (t1, p0))
                    ]
                )
                corners = (c + r * unit).tolist()
                if k == 0 and lowest <= -1.0:
                    corners = [corners[0], corners[2], corners[3], corners[3]]
                    unit = unit[[0, 2, 3, 3]]
                if k == rings - 1:
                    corners[3] = corners[2]
                normal = unit / r
                normal /= np.linalg.norm(normal, axis=1, keepdims=True)
                self.quad(corners, texture, unit.mean(0).tolist(), normals=normal.tolist())

    def __len__(self) -> int:
        return len(self._pos)

    def build(self) -> Mesh:
        count = len(self._pos)
        return Mesh(
            np.array(self._pos, np.float32).reshape(count, 4, 3),
            np.array(self._nrm, np.float32).reshape(count, 3, 3),
            np.array(self._uv, np.float32).reshape(count, 3, 2),
            np.array(self._info, np.int32).reshape(count, 3),
            np.array(self._tint, np.float32).reshape(count, 3),
            np.array(self._gloss, np.float32),
        )


def painted(builder: Builder, on: bool) -> None:
    """Lets faces added from now on take (or not) the tint of the part that they are drawn as."""
    builder.bits = builder.bits | PAINTED if on else builder.bits & ~PAINTED


class Library:
    """Named meshes in one: spans[name] is the first and past-the-last face, radii[name] the reach from the origin in metres."""

    def __init__(self, builders: dict[str, Builder]) -> None:
        meshes = {name: builder.build() for name, builder in builders.items()}
        self.mesh = Mesh(
            *(
                np.concatenate([getattr(m, field) for m in meshes.values()])
                for field in ("pos", "nrm", "uv", "info", "tint", "gloss")
            )
        )
        self.spans: dict[str, tuple[int, int]] = {}
        self.radii: dict[str, float] = {}
        used = 0
        for name, mesh in meshes.items():
            self.spans[name] = (used, used + len(mesh.pos))
            self.radii[name] = float(np.sqrt((mesh.pos**2).sum(-1).max()))
            used += len(mesh.pos)
