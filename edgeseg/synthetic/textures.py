"""Every surface of the street, painted from the seed, and the pool that holds them at all their sizes.

A texture is float32 [h, w, 4], RGB and alpha in 0..1, h and w powers of two. RGB squared is linear light. An opaque
texture's alpha says how little it mirrors; a cut-out's where it is.
"""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.synthetic import facades, patterns, skins

TEXTURES: tuple[str, ...] = (
    "sky",
    "white",
    "road",
    "road_worn",
    "road_zebra",
    "lane",
    "paving",
    "kerb",
    "grass",
    "brick",
    "slate",
    "tiles",
    "leaves",
    "blossom",
    "hedge",
    "bark",
    "railing",
    "planks",
    "netting",
    "front",
    "rear",
    "wheel",
    "spokes",
    "panel",
    "glass",
    "skyline",
    "plaster",
    "buff",
    *(f"wall{i}" for i in range(facades.WALLS)),
    *(f"shop{i}" for i in range(facades.SHOPS)),
    *(f"house{i}" for i in range(facades.HOUSES)),
    *(f"sign{i}" for i in range(skins.SIGNS)),
)
TEX: dict[str, int] = {name: i for i, name in enumerate(TEXTURES)}
"""A texture's place in the pool, by name."""
_DEEPEST = 11


class Pool:
    """All textures as uint32 texels (B, G, R, A from the low byte), each halved in u and v independently (rip maps).

    texels uint32 [N]; places int32 [T, 11, 11] where the copy halved so often in u and v begins; sizes int32 [T, 2] log2 of
    width and height.
    """

    def __init__(self, seed: int, sky: np.ndarray) -> None:
        rng = np.random.default_rng([seed, 7])
        images = {"sky": sky} | patterns.paint(rng) | facades.paint(rng) | skins.paint()
        self.places = np.zeros((len(TEXTURES), _DEEPEST, _DEEPEST), np.int32)
        self.sizes = np.zeros((len(TEXTURES), 2), np.int32)
        chunks: list[np.ndarray] = []
        used = 0
        for name in TEXTURES:
            image = np.ascontiguousarray(cv2.convertScaleAbs(images[name], alpha=255)[..., [2, 1, 0, 3]])
            height, width = image.shape[:2]
            log_u, log_v = width.bit_length() - 1, height.bit_length() - 1
            self.sizes[TEX[name]] = log_u, log_v
            for v in range(log_v + 1):
                if v:
                    image = cv2.resize(image, (width, height >> v), interpolation=cv2.INTER_AREA)
                small = image
                for u in range(log_u + 1):
                    if u:
                        small = cv2.resize(small, (width >> u, height >> v), interpolation=cv2.INTER_AREA)
                    self.places[TEX[name], u, v] = used
                    texels = small.view(np.uint32).ravel()
                    chunks.append(texels)
                    used += texels.size
        self.texels = np.concatenate(chunks)
