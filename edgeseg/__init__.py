"""Live segmentation masks from a camera, on the machine beside it.

    import edgeseg

    model = edgeseg.load("fast-scnn-street")
    masks = model(image)                                # uint8 [H, W, 3] BGR in, masks at the image's own size out
    for result in edgeseg.stream("rtsp://...", model):
        result.masks.of("road"), result.age_ms

Importing this loads no engine library; `load` and `stream` do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from edgeseg.core.packages import missing_packages_explained

if TYPE_CHECKING:
    from edgeseg.core.bundle import Bundle
    from edgeseg.core.errors import EdgesegError
    from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
    from edgeseg.core.result import EngineInfo, Frame, Result, Timing
    from edgeseg.runtime.segmenter import Segmenter, load
    from edgeseg.streaming.latest import Latest, NothingFresh, latest
    from edgeseg.streaming.pipeline import Stream, stream
    from edgeseg.streaming.source import Source
    from edgeseg.vision.tracking import Tracker

__version__ = "0.1.0"

_ROOM_OF = {
    "Bundle": "edgeseg.core.bundle",
    "EdgesegError": "edgeseg.core.errors",
    "EngineInfo": "edgeseg.core.result",
    "Frame": "edgeseg.core.result",
    "InstanceMasks": "edgeseg.core.masks",
    "Latest": "edgeseg.streaming.latest",
    "Masks": "edgeseg.core.masks",
    "NothingFresh": "edgeseg.streaming.latest",
    "Result": "edgeseg.core.result",
    "Segmenter": "edgeseg.runtime.segmenter",
    "SemanticMask": "edgeseg.core.masks",
    "Source": "edgeseg.streaming.source",
    "Stream": "edgeseg.streaming.pipeline",
    "Timing": "edgeseg.core.result",
    "Tracker": "edgeseg.vision.tracking",
    "latest": "edgeseg.streaming.latest",
    "load": "edgeseg.runtime.segmenter",
    "stream": "edgeseg.streaming.pipeline",
}

__all__ = [
    "Bundle",
    "EdgesegError",
    "EngineInfo",
    "Frame",
    "InstanceMasks",
    "Latest",
    "Masks",
    "NothingFresh",
    "Result",
    "Segmenter",
    "SemanticMask",
    "Source",
    "Stream",
    "Timing",
    "Tracker",
    "latest",
    "load",
    "stream",
]


def __getattr__(name: str) -> Any:
    """Imports a public name's module at its first use."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'edgeseg' has no attribute {name!r}")
    with missing_packages_explained():
        return getattr(importlib.import_module(_ROOM_OF[name]), name)
