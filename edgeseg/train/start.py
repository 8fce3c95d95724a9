"""What a training run begins from: a checkpoint, a bundle's deployed weights, or a backbone that saw ImageNet or COCO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import open_bundle
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.models.deeplabv3plus import DeepLabV3PlusMobileNetV2, is_deeplab, load_deeplab
from edgeseg.models.folding import HALF, unfold
from edgeseg.models.layers import SegmentationNetwork
from edgeseg.models.mobilenet import DEEPLAB_HALF_RANGE, half_range, load_backbone, read_folded
from edgeseg.train.checkpoint import SUFFIX, fill_what_fits, read_tensors, read_terms
from edgeseg.train.frozen import backbone_of
from edgeseg.train.normalise import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, Normalise

BEGUN = "; begun from weights trained on "
"""In the terms of a model, between those of its own data and those of what it began from."""
IMAGENET = "ImageNet (MobileNetV2, Apache-2.0)"
DEEPLAB = (
    "COCO 2014 trainval without minival and Pascal VOC 2012 trainaug (DeepLabV3 on MobileNetV2, Apache-2.0), "
    "which began from ImageNet"
)


def begin_from(start: Path, network: SegmentationNetwork, model: str, images: Tensor) -> None:
    """Fills what has the same name and shape: a classifier of other classes begins anew.

    start: a checkpoint, or a bundle by its name or folder. model: the network's key in MODELS.
    images: uint8 [N, H, W, 3] BGR, on which a bundle's folded batch norms are set (see `unfold`).
    Raises EdgesegError for what can't be read, UsageError where it is another network.
    """
    if start.suffix == SUFFIX:
        fill_what_fits(network, read_tensors(start), start)
        return
    bundle = open_bundle(str(start))
    if bundle.architecture != model:
        raise UsageError(
            f"{bundle.name} is a {bundle.architecture}, and {model} is to be trained: --start from another"
        )
    tensors = _deployed(bundle)
    shapes = {name: value.shape for name, value in network.state_dict().items()}
    fitting = {
        name: value
        for name, value in tensors.items()
        if shapes.get(name.removesuffix("bias") + "weight", value.shape)[0] == value.shape[0]
        and shapes.get(name, value.shape) == value.shape
    }
    if 2 * sum(name.endswith("weight") for name in fitting) < sum(
        value.ndim == 4 for value in network.state_dict().values()
    ):
        raise EdgesegError(f"{bundle.path}: an older export, whose weights lost their names; --start from a checkpoint")
    network.load_state_dict({**network.state_dict(), **{k: v for k, v in fitting.items() if k in shapes}})
    unfold(network, fitting, Normalise()(images))


def begin_from_backbone(path: Path, network: SegmentationNetwork, model: str, images: Tensor) -> None:
    """Fills the network's backbone, and of a DeepLabV3+ all that a file of DeepLabV3 holds (see `load_backbone`, `load_deeplab`).

    images: uint8 [N, H, W, 3] BGR. Raises EdgesegError for other weights, UsageError for a network without MobileNetV2.
    """
    backbone = backbone_of(network, model, "--backbone")
    mean, std = 255 * torch.tensor(IMAGENET_MEAN_RGB), 255 * torch.tensor(IMAGENET_STD_RGB)
    seen = Normalise()(images)
    if isinstance(network, DeepLabV3PlusMobileNetV2) and is_deeplab(read_folded(path)):
        load_deeplab(network, path, seen, mean, std)
    else:
        load_backbone(backbone, path, seen, mean, std)


def terms_with_start(own: str, start: Path | None, backbone: Path | None, teacher: Path | None = None) -> str:
    """Returns under which terms the data may be used that weights have seen, with those of before they were trained here.

    own: of the data of this training. start, backbone: what it begins from, as in a recipe, of which start goes first. What
    the start itself began from is told too; what is told already is not told again. teacher: the checkpoint that it learns
    from, whose data it has seen through its eyes. Raises EdgesegError, BundleError.
    """
    before = ""
    if start is not None:
        before = read_terms(start) if start.suffix == SUFFIX else open_bundle(str(start)).terms
    elif backbone is not None:
        before = DEEPLAB if half_range(read_folded(backbone)) == DEEPLAB_HALF_RANGE else IMAGENET
    terms = BEGUN.join([own, *(link for link in before.split(BEGUN) if link not in own)])
    taught = read_terms(teacher) if teacher is not None else ""
    return terms if taught in terms else f"{terms}; taught by a model trained on {taught}"


def _deployed(bundle: Bundle) -> dict[str, Tensor]:
    """Returns the weights of a bundle's FP32 graph, float32, by their names in the network."""
    graph = onnx.load_model_from_string(bundle.file(bundle.graphs["fp32"]).read_bytes()).graph
    tensors: dict[str, Tensor] = {}
    for stored in graph.initializer:
        prefix, _, name = stored.name.partition(".")
        if prefix == "network" and stored.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16):
            value = torch.from_numpy(numpy_helper.to_array(stored).astype(np.float32))
            # The deployed graph reads the camera's BGR, the network RGB.
            name = name.removesuffix(HALF)
            tensors[name] = value.flip(1) if value.ndim == 4 and value.shape[1] == 3 else value
    return tensors
