"""Where meshes of the library stand and how they are turned: what is drawn besides the street's own chunks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Parts:
    """Where meshes of the library stand: spans int32 [P, 2], mats float64 [P, 12], tints float64 [P, 3] linear BGR, names
    int32 [P, 2] label and instance, radii float64 [P]."""

    spans: np.ndarray
    mats: np.ndarray
    tints: np.ndarray
    names: np.ndarray
    radii: np.ndarray

    def within(self, ahead: float) -> Parts:
        """Those whose origin lies no farther ahead."""
        near = self.mats[:, 11] < ahead
        return Parts(self.spans[near], self.mats[near], self.tints[near], self.names[near], self.radii[near])

    @staticmethod
    def join(many: list[Parts]) -> Parts:
        return Parts(
            *(np.concatenate([getattr(p, f) for p in many]) for f in ("spans", "mats", "tints", "names", "radii"))
        )


def object_id(kind: int, number: int) -> int:
    """An instance id 1..65520 from a kind 0..15 and a running number: apart for all that are seen together."""
    return 1 + (number * 16 + kind) % 65520


def place(
    root: np.ndarray,
    yaw: np.ndarray,
    joint: tuple[np.ndarray | float, ...] = (0.0, 0.0, 0.0),
    angle: np.ndarray | float = 0.0,
    scale: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Rows of matrices float64 [N, 12]: at root [N, 3] turned by yaw [N], moved by joint (x, y, z) metres of a figure of scale 1,
    then swung ahead by angle about x."""
    count = len(root)
    sy, cy = np.sin(yaw), np.cos(yaw)
    sa, ca = np.sin(angle) * np.ones(count), np.cos(angle) * np.ones(count)
    x, y, z = (np.asarray(j, float) * scale for j in joint)
    out = np.zeros((count, 3, 4))
    out[:, 0, 0], out[:, 2, 0] = cy * scale, -sy * scale
    out[:, 0, 1], out[:, 1, 1], out[:, 2, 1] = -sy * sa * scale, ca * scale, -cy * sa * scale
    out[:, 0, 2], out[:, 1, 2], out[:, 2, 2] = sy * ca * scale, sa * scale, cy * ca * scale
    out[:, 0, 3] = root[:, 0] + cy * x + sy * z
    out[:, 1, 3] = root[:, 1] + y
    out[:, 2, 3] = root[:, 2] - sy * x + cy * z
    return out.reshape(count, 12)
