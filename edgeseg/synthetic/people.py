"""The limbs of people as meshes. Each hangs down (or the trunk stands up) from a joint at its origin; +z is ahead."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from edgeseg.synthetic.mesh import Builder, painted

PEDESTRIAN = 9
SHIRTS = (
    (0.72, 0.16, 0.15),
    (0.15, 0.22, 0.42),
    (0.85, 0.84, 0.80),
    (0.20, 0.20, 0.22),
    (0.30, 0.42, 0.30),
    (0.75, 0.55, 0.22),
    (0.42, 0.30, 0.45),
    (0.38, 0.52, 0.66),
    (0.52, 0.40, 0.30),
    (0.60, 0.60, 0.62),
    (0.90, 0.45, 0.12),
    (0.20, 0.42, 0.44),
)
TROUSERS = (
    (0.16, 0.18, 0.26),
    (0.25, 0.32, 0.45),
    (0.20, 0.20, 0.20),
    (0.48, 0.42, 0.33),
    (0.33, 0.33, 0.35),
    (0.36, 0.26, 0.20),
)
SKINS = ((0.86, 0.66, 0.55), (0.78, 0.58, 0.46), (0.62, 0.43, 0.33), (0.45, 0.30, 0.23), (0.90, 0.72, 0.62))
HAIRS = ((0.14, 0.11, 0.09), (0.30, 0.20, 0.13), (0.55, 0.42, 0.24), (0.45, 0.44, 0.43), (0.42, 0.20, 0.10))


def build() -> dict[str, Builder]:
    limbs = {
        "thigh": ((0.086, 0.060, 0.44),),
        "shin": ((0.060, 0.040, 0.42),),
        "arm": ((0.058, 0.046, 0.30),),
        "forearm": ((0.043, 0.032, 0.25),),
    }
    builders = {name: _limb(*shape[0]) for name, shape in limbs.items()}
    builders["trunk"] = _trunk(coat=False)
    builders["coat"] = _trunk(coat=True)
    builders["hips"] = _start()
    builders["hips"].tube((0, -0.10, 0), (0, 0.12, 0), 0.155, 0.165, 8, flat=0.66, caps=True)
    builders["head"] = _start()
    builders["head"].tube((0, -0.10, 0), (0, 0.05, 0.01), 0.056, 0.052, 6)
    builders["head"].ball((0, 0.10, 0.02), (0.086, 0.120, 0.104), 4, 8)
    builders["hair"] = _start()
    builders["hair"].ball((0, 0.115, -0.006), (0.098, 0.126, 0.114), 3, 8, lowest=-0.1)
    builders["long_hair"] = _start()
    builders["long_hair"].ball((0, 0.115, -0.012), (0.100, 0.126, 0.112), 3, 8, lowest=-0.1)
    builders["long_hair"].ball((0, 0.03, -0.06), (0.09, 0.17, 0.06), 4, 7)
    builders["helmet"] = _start()
    builders["helmet"].ball((0, 0.12, 0.0), (0.110, 0.125, 0.145), 3, 8, lowest=0.0)
    builders["hand"] = _start()
    builders["hand"].ball((0, -0.05, 0.01), (0.034, 0.068, 0.04), 3, 5)
    builders["shoe"] = _start()
    builders["shoe"].box((-0.045, -0.075, -0.08), (0.045, 0.02, 0.17), bottom=True)
    builders["bag"] = _start()
    builders["bag"].box((-0.15, 0.16, -0.27), (0.15, 0.56, -0.10), bottom=True)
    return builders


def _start() -> Builder:
    builder = Builder(PEDESTRIAN)
    painted(builder, True)
    return builder


def _limb(top: float, low: float, length: float) -> Builder:
    builder = _start()
    builder.tube((0, 0.02, 0), (0, -length * 0.45, 0.012), top, (top + low) * 0.54, 6)
    builder.tube((0, -length * 0.45, 0.012), (0, -length, 0), (top + low) * 0.54, low, 6, caps=True)
    return builder


def _trunk(coat: bool) -> Builder:
    builder = _start()
    hem, hem_width = (-0.34, 0.20) if coat else (-0.02, 0.165)
    outline = [(hem, hem_width), (0.16, 0.168), (0.38, 0.200), (0.50, 0.178), (0.56, 0.075)]
    for (y0, r0), (y1, r1) in pairwise(outline):
        builder.tube((0, y0, 0), (0, y1, 0), r0, r1, 8, flat=0.62)
    if not coat:
        builder.tint = (0.6, 0.6, 0.6)
        builder.tube((0, -0.02, 0), (0, 0.0, 0), 0.15, 0.15, 8, flat=0.62, caps=True)
    return builder


def stride(phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles ahead of hanging, radians, of thigh and shin at a phase of the gait (2 pi: two steps)."""
    thigh = 0.42 * np.sin(phase) + 0.05
    return thigh, thigh - 0.12 - 0.80 * np.maximum(np.cos(phase + 0.35), 0) ** 1.5


def reach(dy: np.ndarray, dz: np.ndarray, upper: float, lower: float, bend: float) -> tuple[np.ndarray, np.ndarray]:
    """Angles ahead of hanging of a limb's two bones whose end is to be (dy, dz) from its joint; bend +1: joint ahead."""
    distance = np.clip(np.hypot(dy, dz), abs(upper - lower) + 0.01, upper + lower - 0.005)
    whole = np.arctan2(dz, -dy)
    inner = np.arccos((upper**2 + distance**2 - lower**2) / (2 * upper * distance))
    first = whole + bend * inner
    knee_y, knee_z = -upper * np.cos(first), upper * np.sin(first)
    return first, np.arctan2(dz - knee_z, -(dy - knee_y))
