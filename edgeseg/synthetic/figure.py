"""People put together from limbs, many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeseg.synthetic.mesh import Library
from edgeseg.synthetic.parts import Parts, place
from edgeseg.synthetic.people import PEDESTRIAN
from edgeseg.synthetic.vehicles import BICYCLIST


@dataclass(frozen=True, eq=False)
class Looks:
    """What is drawn by lot for one mover. colours: linear BGR of shirt or paint, trousers, skin, hair."""

    present: bool
    jitter: float
    lateral: float
    scale: float
    phase: float
    colours: tuple[tuple[float, float, float], ...]
    shape: str
    coat: bool
    long_hair: bool
    bag: bool
    bare: bool


class Figure:
    """Puts limbs on many people at once; heights y and z ahead are metres of a figure of scale 1, arrays [N]."""

    def __init__(
        self,
        library: Library,
        root: np.ndarray,
        yaw: np.ndarray,
        scale: np.ndarray,
        looks: list[Looks],
        ids: np.ndarray,
        label: int,
    ) -> None:
        self._library, self._root, self._yaw, self._scale = library, root, yaw, scale
        self._looks, self._ids, self._label = looks, ids, label
        self._shirt, self._trousers, self._skin, self._hair = (
            np.array([k.colours[i] for k in looks]) for i in range(4)
        )
        bare = np.array([k.bare for k in looks])[:, None]
        self._sleeve = np.where(bare, self._skin, self._shirt)
        self._everyone = np.arange(len(looks))
        self._limbs: list[tuple[str, np.ndarray, np.ndarray, tuple, np.ndarray | float]] = []

    def add(
        self, name: str, tints: np.ndarray, joint: tuple, angle: np.ndarray | float, which: np.ndarray | None = None
    ) -> None:
        self._limbs.append((name, self._everyone if which is None else np.flatnonzero(which), tints, joint, angle))

    def parts(self) -> Parts:
        """All limbs added, placed in one go."""
        who = np.concatenate([limb[1] for limb in self._limbs])
        full = np.zeros((len(self._limbs), 4, len(self._ids)))
        for row, (_, _, _, (x, y, z), angle) in zip(full, self._limbs, strict=True):
            row[0], row[1], row[2], row[3] = x, y, z, angle
        x, y, z, angle = np.concatenate([row[:, limb[1]] for row, limb in zip(full, self._limbs, strict=True)], axis=1)
        counts = [len(limb[1]) for limb in self._limbs]
        library = self._library
        names = np.stack([np.full(len(who), self._label), self._ids[who]], axis=1)
        return Parts(
            np.repeat(np.array([library.spans[limb[0]] for limb in self._limbs], np.int32), counts, axis=0),
            place(self._root[who], self._yaw[who], (x, y, z), angle, self._scale[who]),
            np.concatenate([limb[2][limb[1]] for limb in self._limbs]),
            names.astype(np.int32),
            np.repeat(np.array([library.radii[limb[0]] for limb in self._limbs]), counts) * 1.1,
        )

    def trunk(self, hip: np.ndarray, z: np.ndarray, lean: np.ndarray) -> None:
        coat = np.array([k.coat for k in self._looks]) & (self._label == PEDESTRIAN)
        long_hair = np.array([k.long_hair for k in self._looks])
        bag = np.array([k.bag for k in self._looks])
        helmet = (self._label == BICYCLIST) & ~long_hair
        self.add("hips", self._trousers, (0.0, hip, z), np.zeros(len(z)))
        self.add("trunk", self._shirt, (0.0, hip + 0.04, z), -lean, ~coat)
        self.add("coat", self._shirt, (0.0, hip + 0.04, z), -lean, coat)
        self.add("bag", self._trousers[:, ::-1] * 1.5, (0.0, hip + 0.04, z), -lean, bag)
        y, ahead = hip + 0.04 + 0.61 * np.cos(lean), z + 0.61 * np.sin(lean)
        level = np.zeros(len(z))
        self.add("head", self._skin, (0.0, y, ahead), level)
        self.add("hair", self._hair, (0.0, y, ahead), level, ~long_hair & ~helmet)
        self.add("long_hair", self._hair, (0.0, y, ahead), level, long_hair)
        self.add("helmet", self._shirt[:, ::-1], (0.0, y, ahead), level, helmet)

    def leg(self, x: float, y: np.ndarray, z: float, thigh: np.ndarray, shin: np.ndarray) -> None:
        self.add("thigh", self._trousers, (x, y, z), thigh)
        knee_y, knee_z = y - 0.44 * np.cos(thigh), z + 0.44 * np.sin(thigh)
        self.add("shin", self._trousers, (x, knee_y, knee_z), shin)
        ankle_y, ankle_z = knee_y - 0.42 * np.cos(shin), knee_z + 0.42 * np.sin(shin)
        self.add("shoe", self._trousers * 0.4, (x, ankle_y, ankle_z), shin * 0.6)

    def arm(self, x: float, y: np.ndarray, z: np.ndarray | float, upper: np.ndarray, lower: np.ndarray) -> None:
        self.add("arm", self._shirt, (x, y, z), upper)
        elbow_y, elbow_z = y - 0.30 * np.cos(upper), z + 0.30 * np.sin(upper)
        self.add("forearm", self._sleeve, (x, elbow_y, elbow_z), lower)
        self.add("hand", self._skin, (x, elbow_y - 0.25 * np.cos(lower), elbow_z + 0.25 * np.sin(lower)), lower)
