"""The eleven street classes that CamVid and the rendered street share, and the id that means "not judged"."""

from __future__ import annotations

IGNORE_ID = 255

STREET_CLASSES: tuple[str, ...] = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
"""Class names by id, the SegNet split's order (Brostow et al. 2009; Badrinarayanan et al. 2017)."""

STREET_PALETTE: tuple[tuple[int, int, int], ...] = (
    (112, 174, 232),
    (150, 132, 122),
    (245, 208, 66),
    (116, 84, 150),
    (233, 120, 200),
    (74, 160, 78),
    (255, 140, 40),
    (190, 120, 70),
    (38, 92, 230),
    (228, 40, 62),
    (0, 205, 205),
)
"""RGB by class id: apart from each other in hue, and in lightness where hues are close."""
