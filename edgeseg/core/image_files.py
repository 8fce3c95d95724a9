"""Which files are pictures, told by their endings: for data sets, folders that are played, masks, and what is kept safe."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""In lower case, with the dot."""
