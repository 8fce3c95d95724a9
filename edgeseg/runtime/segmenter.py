"""Opens a model by its name: the segmenter of its task, on the engine that was chosen."""

from __future__ import annotations

import os
from collections.abc import Callable

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import open_bundle
from edgeseg.runtime.choose import Choice, choose, open_engine
from edgeseg.runtime.instances import InstanceSegmenter
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.runtime.stage import Segmenter, Stage

__all__ = ["DEFAULT_MODEL", "InstanceSegmenter", "Segmenter", "SemanticSegmenter", "Stage", "load"]

DEFAULT_MODEL = "deeplabv3plus-mobilenetv2-street"


def load(
    model: str | os.PathLike[str] = DEFAULT_MODEL,
    *,
    engine: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
) -> SemanticSegmenter | InstanceSegmenter:
    """Opens a model by its bundle's name or folder.

    engine: auto, tensorrt, openvino, onnxruntime. precision: auto, fp32, bf16, fp16, int8. threads: cores the engine may take; by
    default all but one. Raises UsageError (with the nearest names), BundleError, EngineError, MissingPackageError.
    """
    bundle = open_bundle(os.fspath(model))
    choice = choose(bundle, engine, precision)
    opened = open_engine(bundle, choice, threads)
    try:
        segmenter = _segmenter_class(bundle, choice)(bundle, opened)
        segmenter.warm_up()
    except BaseException:
        opened.close()
        raise
    return segmenter


def _segmenter_class(bundle: Bundle, choice: Choice) -> Callable[..., SemanticSegmenter | InstanceSegmenter]:
    if choice.engine != "tensorrt":
        return InstanceSegmenter if bundle.task == "instances" else SemanticSegmenter
    from edgeseg.runtime.gpu.segmenter import GpuInstanceSegmenter, GpuSemanticSegmenter

    return GpuInstanceSegmenter if bundle.task == "instances" else GpuSemanticSegmenter
