"""Networks, one file each. A network turns a normalised image into logits and knows no data set and no export."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from edgeseg.core.errors import UsageError, did_you_mean

MODELS: dict[str, str] = {
    "bisenetv2": "edgeseg.models.bisenet_v2:BiSeNetV2",
    "bisenet-mobilenetv2": "edgeseg.models.bisenet:BiSeNetMobileNetV2",
    "deeplabv3plus-mobilenetv2": "edgeseg.models.deeplabv3plus:DeepLabV3PlusMobileNetV2",
    "fast-scnn": "edgeseg.models.fast_scnn:FastSCNN",
    "yolact-mobilenetv2": "edgeseg.models.yolact:Yolact",
}
"""Name of a network -> module:class, imported only when it is built."""
INSTANCE_MODELS = ("yolact-mobilenetv2",)
"""Those that give a mask for each thing; the others give a class for each pixel."""


def build_model(name: str, classes: int, **options: int) -> Any:
    """Builds the network `name` for `classes` classes, randomly initialised: a SegmentationNetwork, or a Yolact.

    options: what the network's constructor takes beside the classes, such as `size` of a Yolact. Raises UsageError for
    an unknown name.
    """
    if name not in MODELS:
        raise UsageError(f"no network {name!r}: {did_you_mean(name, MODELS)}")
    module, _, constructor = MODELS[name].partition(":")
    return getattr(import_module(module), constructor)(classes, **options)
