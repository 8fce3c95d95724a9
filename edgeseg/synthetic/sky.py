"""Weather: where the sun stands, what it and the sky give, the haze, and the sky itself as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edgeseg.synthetic import patterns

SKY_REACH = (1.6, 0.95)
"""The sky's picture covers x/z in -1.6..1.6 and y/z in -0.1..0.95 of a ray with z ahead along the road."""
LOWEST = -0.1


@dataclass(frozen=True, eq=False)
class Weather:
    """Colours are linear BGR. sun: unit vector towards it, world axes (x right, y up, z ahead)."""

    sun: np.ndarray
    sunlight: np.ndarray
    from_above: np.ndarray
    from_below: np.ndarray
    haze: np.ndarray
    visibility: float
    shade_softness: float
    gleam: float
    sky: np.ndarray


def forecast(seed: int) -> Weather:
    """Sunny, hazy, golden or overcast, and the sun's place, from the seed. Seed 1 is a sunny afternoon."""
    rng = np.random.default_rng([seed, 3])
    kind = "sunny" if seed == 1 else str(rng.choice(["sunny", "bright", "golden", "overcast"], p=[0.4, 0.2, 0.2, 0.2]))
    side = -1.0 if seed == 1 else float(rng.choice([-1.0, 1.0]))
    azimuth = side * (
        0.95 if seed == 1 else float(rng.uniform(0.35, 0.75) if kind == "golden" else rng.uniform(0.35, 2.4))
    )
    height = {"sunny": rng.uniform(40, 56), "bright": rng.uniform(38, 55), "golden": rng.uniform(24, 32)}.get(
        kind, 66.0
    )
    elevation = np.radians(46.0 if seed == 1 else float(height))
    sun = np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    zenith, horizon, light, above, below = {
        "sunny": ((0.52, 0.27, 0.115), (0.92, 0.78, 0.62), (1.62, 1.95, 2.12), (0.66, 0.53, 0.44), (0.24, 0.25, 0.25)),
        "bright": ((0.66, 0.50, 0.36), (1.0, 0.93, 0.84), (1.20, 1.36, 1.45), (0.74, 0.66, 0.60), (0.28, 0.28, 0.28)),
        "golden": ((0.46, 0.29, 0.17), (0.62, 0.82, 1.02), (0.92, 1.62, 2.30), (0.56, 0.46, 0.42), (0.20, 0.22, 0.25)),
        "overcast": (
            (0.60, 0.56, 0.53),
            (0.88, 0.86, 0.84),
            (0.42, 0.43, 0.43),
            (0.98, 0.95, 0.92),
            (0.36, 0.36, 0.36),
        ),
    }[kind]
    cover = {"sunny": -0.05, "bright": 0.22, "golden": 0.1, "overcast": 0.75}[kind] + float(rng.uniform(-0.12, 0.12))
    sky = _picture(rng, sun, np.array(zenith), np.array(horizon), np.array(light), cover, dull=kind == "overcast")
    haze = np.array(horizon) * 0.82
    return Weather(
        sun=sun,
        sunlight=np.array(light),
        from_above=np.array(above),
        from_below=np.array(below),
        haze=haze,
        visibility=480.0 if kind in ("sunny", "golden") else 320.0,
        shade_softness=0.42 if kind != "overcast" else 0.6,
        gleam=1.0 if kind in ("sunny", "golden") else 0.15,
        sky=sky,
    )


def _picture(
    rng: np.random.Generator,
    sun: np.ndarray,
    zenith: np.ndarray,
    horizon: np.ndarray,
    light: np.ndarray,
    cover: float,
    dull: bool,
) -> np.ndarray:
    """float32 [512, 1024, 4] RGB; its square is linear light."""
    h, w = 512, 1024
    x = np.linspace(-SKY_REACH[0], SKY_REACH[0], w, dtype=np.float32)[None, :]
    y = np.linspace(SKY_REACH[1], LOWEST, h, dtype=np.float32)[:, None]
    length = np.sqrt(x * x + y * y + 1)
    up = np.maximum(y / length, 0)
    towards = np.clip((x * sun[0] + y * sun[1] + sun[2]) / length, 0, 1)
    blend = (1 - up) ** 4.2
    colour = zenith * (1 - blend[..., None]) + horizon * blend[..., None]
    glow = (0.25 * towards**6 + 0.5 * towards**40)[..., None] * (0.25 if dull else 1.0)
    colour = colour + glow * light * 0.42
    field = patterns.clouds(rng, 512, 4, 7)
    flat = 1.0 / (up + 0.09)
    map_u = ((x / length) * flat * 70 + 200).astype(np.float32)
    map_v = (flat * 96 + 0 * x).astype(np.float32)
    puff = cv2.remap(field, map_u, map_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    lit = cv2.remap(field, map_u + np.float32(7 * sun[0]), map_v - 7, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    amount = np.clip((puff + cover) * 1.7, 0, 1)
    amount = (amount * amount * (3 - 2 * amount) * np.clip(up * 7, 0.25, 1))[..., None]
    relief = np.clip(0.80 + 0.55 * (puff - lit), 0.5, 1.15)[..., None]
    white = (horizon * 0.45 + light * 0.27) if not dull else horizon * 0.92
    thick = 1 - 0.22 * np.clip(puff + cover - 0.3, 0, 1)[..., None]
    colour = colour * (1 - amount) + white * relief * thick * amount
    image = np.ones((h, w, 4), np.float32)
    image[..., :3] = np.sqrt(np.clip(colour[..., ::-1], 0, 1))
    return image
