"""OpenCV without its own words on stderr: what went wrong is said by us, in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import cv2

# Where this stands moved between OpenCV 4 and 5, and JetPack's is an OpenCV 4.
_LOG: Any = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
_SILENT = 0


@contextlib.contextmanager
def opencv_silenced() -> Iterator[None]:
    """Silences OpenCV's log inside the block."""
    level = _LOG.getLogLevel()
    _LOG.setLogLevel(_SILENT)
    try:
        yield
    finally:
        _LOG.setLogLevel(level)
