"""Everything that moves, in closed form of time: the drive itself, cars, pedestrians, cyclists.

Each kind of mover is an endless row with its own spacing; number n's looks and place in the row follow from the seed, kind and n.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from edgeseg.synthetic import people
from edgeseg.synthetic.figure import Figure, Looks
from edgeseg.synthetic.mesh import Library, linear
from edgeseg.synthetic.parts import Parts, object_id, place
from edgeseg.synthetic.people import PEDESTRIAN
from edgeseg.synthetic.vehicles import AXLES, BICYCLIST, CAR, CAR_SHAPES, TRACK, WHEEL_RADIUS
from edgeseg.synthetic.world import HALF_ROAD, KERB, PAINTS, ZEBRA, ZONE, World

HALT = 14.0
"""Metres before a crossing at which the drive halts."""
_DWELL = 3.0
_CRUISE, _CREEP = 9.2, 0.5
_ROW = 30.0
_LANE = 1.75


class Traffic:
    """Movers near a place at a time, as parts of the library's meshes."""

    def __init__(self, seed: int, world: World, library: Library) -> None:
        self._seed, self._world, self._library = seed, world, library
        way = np.arange(0, ZONE + 0.25, 0.25)
        left = ZEBRA - HALT - way
        speed = np.where(left >= 0, np.sqrt(_CREEP**2 + 4.0 * np.abs(left)), np.sqrt(_CREEP**2 + 3.2 * np.abs(left)))
        speed = np.minimum(speed, _CRUISE)
        clock = np.concatenate([[0.0], np.cumsum(0.5 / (speed[1:] + speed[:-1]))])
        halt = int((ZEBRA - HALT) / 0.25)
        self._halt_time = float(clock[halt])
        clock[halt + 1 :] += _DWELL
        self._clock, self._way = clock, way
        self._period = float(clock[-1])
        self._start = 3.0 if seed == 1 else float(np.random.default_rng([seed, 23]).uniform(0, self._period))
        self._oncoming_clock, self._oncoming_way = self._oncoming()
        # A picture needs some hundred; what is passed does not come back.
        self._looks = lru_cache(512)(self._draw_looks)

    def ego(self, time: float) -> float:
        """Metres driven at a time in seconds."""
        zones, rest = divmod(time + self._start, self._period)
        return float(zones * ZONE + np.interp(rest, self._clock, self._way))

    def _oncoming(self) -> tuple[np.ndarray, np.ndarray]:
        """Oncoming cars halt while people cross, and come on by whole rows in the time that the drive takes for a zone."""
        clock = np.linspace(0, self._period, 512)
        since = clock - self._halt_time
        pace = np.clip(np.maximum((-5.0 - since) / 3.0, (since - 7.0) / 3.0), 0, 1)
        way = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2)])
        total = round(8.5 * self._period * float(pace.mean()) / _ROW) * _ROW
        return clock, way * (total / way[-1])

    def _draw_looks(self, kind: int, number: int) -> Looks:
        rng = np.random.default_rng([self._seed, 29, kind, number & 0xFFFFFFFF])
        u = rng.random(10)
        choose = rng.integers(0, 1 << 30, 5)
        if kind in (2, 3):
            colours = (linear(PAINTS[choose[0] % len(PAINTS)]),)
        else:
            tables = (people.SHIRTS, people.TROUSERS, people.SKINS, people.HAIRS)
            colours = tuple(linear(table[c % len(table)]) for table, c in zip(tables, choose, strict=False))
        share = {2: 0.62, 3: 1.0, 8: 0.85, 9: 0.6, 10: 0.85}.get(kind, 0.5)
        return Looks(
            u[0] < share,
            float(u[1]),
            float(u[2]),
            float(0.9 + 0.16 * u[3]),
            float(u[4] * 6.28),
            colours,
            CAR_SHAPES[min(int(u[5] * 4.6), 3) if u[5] < 0.87 else 0],
            u[6] < 0.35,
            u[7] < 0.4,
            u[8] < 0.25,
            u[9] < 0.25,
        )

    def parts(self, time: float, here: float, reach: float) -> tuple[Parts, np.ndarray]:
        """Parts with z from `here` (metres driven), up to reach ahead, and their objects int32 [N, 2]: id, label."""
        pieces = (
            self._cars(time, here, reach)
            + self._walkers(time, here, min(reach, 110.0))
            + self._riders(time, here, min(reach, 130.0))
        )
        spans = [piece for piece in pieces if len(piece.mats)]
        return Parts.join(spans), np.unique(np.concatenate([p.names for p in spans]), axis=0)[:, ::-1]

    def _row(self, kind: int, spacing: float, offset: float, low: float, high: float) -> list[tuple[int, Looks]]:
        first, last = int(np.floor((low - offset) / spacing)) - 1, int(np.ceil((high - offset) / spacing)) + 1
        return [(n, looks) for n in range(first, last) if (looks := self._looks(kind, n)).present]

    def _pieces(
        self, name: str, mats: np.ndarray, tints: object, label: int, ids: np.ndarray, scale: float = 1.1
    ) -> Parts:
        count = len(mats)
        return Parts(
            np.tile(np.array(self._library.spans[name], np.int32), (count, 1)),
            mats,
            np.broadcast_to(np.asarray(tints, float), (count, 3)),
            np.stack([np.full(count, label, np.int32), ids], axis=1).astype(np.int32),
            np.full(count, self._library.radii[name] * scale),
        )

    def _roots(self, x: np.ndarray, z: np.ndarray, here: float, y: float) -> tuple[np.ndarray, np.ndarray]:
        """Places from x of the road's middle and z along it, and the road's heading there."""
        return np.stack([x + self._world.bend(z), np.full(len(x), y), z - here], axis=1), np.arctan(
            self._world.slope(z)
        )

    def _cars(self, time: float, here: float, reach: float) -> list[Parts]:
        found: list[tuple[int, Looks, float, float, float]] = []
        zones, rest = divmod(time + self._start, self._period)
        total = self._oncoming_way[-1]
        come = zones * total + float(np.interp(rest, self._oncoming_clock, self._oncoming_way))
        base = ZEBRA + 8.0 + float(np.interp(self._halt_time, self._oncoming_clock, self._oncoming_way))
        for n, looks in self._row(2, _ROW, base - come, here - 6, here + reach):
            z = n * _ROW + base - come + 5.0 * (looks.jitter - 0.2)
            found.append((object_id(2, n), looks, _LANE, z, np.pi))
        for k, headway in enumerate((7.5, 11.5, 19.0)):
            z = self.ego(time + headway) + 4.0
            found.append((object_id(3, k), self._looks(3, k), -_LANE, z, 0.0))
        found = [f for f in found if -6 < f[3] - here < reach]
        result: list[Parts] = []
        for shape in CAR_SHAPES:
            group = [f for f in found if f[1].shape == shape]
            if not group:
                continue
            ids = np.array([f[0] for f in group])
            x, z, turn = (np.array([f[i] for f in group], float) for i in (2, 3, 4))
            root, heading = self._roots(x, z, here, 0.0)
            yaw = heading + turn
            result.append(self._pieces(shape, place(root, yaw), [f[1].colours[0] for f in group], CAR, ids))
            spin = -z / WHEEL_RADIUS * np.cos(turn)
            for dz in AXLES[shape]:
                for dx in (-TRACK[shape], TRACK[shape]):
                    mats = place(root, yaw, (dx, WHEEL_RADIUS, dz), spin)
                    result.append(self._pieces("wheel", mats, (1, 1, 1), CAR, ids))
        return result

    def _walkers(self, time: float, here: float, reach: float) -> list[Parts]:
        """Along both footways in both directions, and across the zebra crossings."""
        found: list[tuple[int, Looks, float, float, float, float]] = []
        for kind, side, way in ((4, -1, 1), (5, -1, -1), (6, 1, 1), (7, 1, -1)):
            pace = 1.25 + 0.1 * (kind - 4)
            shift = way * pace * time
            for n, looks in self._row(kind, 8.0, shift, here - 2, here + reach):
                z = n * 8.0 + 6.0 * looks.jitter + shift
                x = side * (HALF_ROAD + 1.3 + 1.6 * looks.lateral)
                found.append(
                    (object_id(kind, n), looks, x, z, 0.0 if way > 0 else np.pi, 1.0 + pace * time * 2 * np.pi / 1.45)
                )
        found += self._crossers(time, here, reach)
        found = [f for f in found if -2 < f[3] - here < reach]
        if not found:
            return []
        ids = np.array([f[0] for f in found])
        x, z, turn, gait = (np.array([f[i] for f in found], float) for i in (2, 3, 4, 5))
        looks = [f[1] for f in found]
        phase = gait + np.array([k.phase for k in looks]) * (gait != 0)
        scale = np.array([k.scale for k in looks])
        root, heading = self._roots(x, z, here, 0.0)
        root[:, 1] = np.where(np.abs(x) > HALF_ROAD, KERB, 0.0)
        yaw = heading + turn
        moving = gait != 0
        swing = [tuple(np.where(moving, a, 0.02) for a in people.stride(phase + half)) for half in (0.0, np.pi)]
        bob = 0.015 * np.cos(2 * phase) * moving - 0.012
        arms = [np.where(moving, -0.38 * np.sin(phase + half), 0.03) for half in (0.0, np.pi)]
        figure = Figure(self._library, root, yaw, scale, looks, ids, PEDESTRIAN)
        hip = 0.93 + bob
        figure.trunk(hip, np.zeros(len(x)), np.full(len(x), 0.04))
        for side in (0, 1):
            dx = 0.085 if side else -0.085
            figure.leg(dx, hip, 0.0, *swing[side])
            figure.arm(0.205 if side else -0.205, hip + 0.50, 0.01, arms[side], arms[side] + 0.28)
        return [figure.parts()]

    def _crossers(self, time: float, here: float, reach: float) -> list[tuple[int, Looks, float, float, float, float]]:
        found = []
        zones, _ = divmod(time + self._start, self._period)
        for zone in range(int(zones), int(zones) + 2):
            middle = zone * ZONE + ZEBRA
            if not -2 < middle - here < reach:
                continue
            since = time + self._start - (zone * self._period + self._halt_time)
            for k in range(4):
                number = zone * 4 + k
                looks = self._looks(10, number)
                if not looks.present:
                    continue
                side = 1.0 if k % 2 else -1.0
                walked = float(np.clip((since + 4.0 - 0.9 * (k // 2) - looks.jitter) * 1.5, 0, 14.4))
                x = side * (7.2 - walked)
                gait = walked * 2 * np.pi / 1.5 if 0 < walked < 14.4 else 0.0
                z = middle - 1.1 + 0.75 * k
                found.append((object_id(10, number), looks, x, z, -side * np.pi / 2, gait))
        return found

    def _riders(self, time: float, here: float, reach: float) -> list[Parts]:
        found: list[tuple[int, Looks, float, float, float]] = []
        for kind, side, way, spacing in ((8, -1, 1, 25.0), (9, 1, -1, 34.0)):
            shift = way * 4.7 * time + 9.0
            for n, looks in self._row(kind, spacing, shift, here - 2, here + reach):
                z = n * spacing + 12 * looks.jitter + shift
                x = side * (3.28 + 0.12 * np.sin(time * 1.1 + looks.phase))
                found.append((object_id(kind, n), looks, x, z, 0.0 if way > 0 else np.pi))
        found = [f for f in found if -2 < f[3] - here < reach]
        if not found:
            return []
        ids = np.array([f[0] for f in found])
        x, z, turn = (np.array([f[i] for f in found], float) for i in (2, 3, 4))
        looks = [f[1] for f in found]
        count = len(found)
        root, heading = self._roots(x, z, here, 0.0)
        yaw = heading + turn
        figure = Figure(self._library, root, yaw, np.ones(count), looks, ids, BICYCLIST)
        paints = np.array([k.colours[0] for k in looks])[:, ::-1] * 0.7
        figure.add("bicycle", paints, (0.0, 0.0, 0.0), np.zeros(count))
        spin = -z / 0.345 * np.cos(turn)
        for wheel in (-0.50, 0.52):
            figure.add("rim", np.ones((count, 3)), (0.0, 0.345, wheel), spin)
        turned = 4.7 * time / 0.345 * 0.42 + np.array([k.phase for k in looks])
        hip = np.full(count, 0.99)
        figure.trunk(hip, np.full(count, -0.20), np.full(count, 0.52))
        for side in (0, 1):
            crank = turned + np.pi * side
            foot_y, foot_z = 0.29 + 0.17 * np.cos(crank) + 0.075, -0.06 + 0.17 * np.sin(crank) - 0.03
            thigh, shin = people.reach(foot_y - hip, foot_z + 0.20, 0.44, 0.42, 1.0)
            figure.leg(0.085 if side else -0.085, hip, -0.20, thigh, shin)
            shoulder_y, shoulder_z = hip + 0.50 * np.cos(0.52), -0.20 + 0.50 * np.sin(0.52)
            upper, lower = people.reach(1.06 - shoulder_y, 0.30 - shoulder_z, 0.30, 0.27, -1.0)
            figure.arm(0.215 if side else -0.215, shoulder_y, shoulder_z, upper, lower)
        return [figure.parts()]
