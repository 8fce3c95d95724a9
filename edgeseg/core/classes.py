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
    (226, 186, 130),
    (250, 224, 60),
    (104, 78, 158),
    (240, 130, 196),
    (66, 164, 84),
    (255, 122, 24),
    (158, 92, 48),
    (34, 92, 236),
    (232, 36, 66),
    (0, 208, 204),
)
"""RGB by class id: apart from each other in hue, and in lightness where hues are close."""
