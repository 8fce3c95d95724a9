"""From a network to ONNX: a graph that takes camera pixels, lean, and old enough for every runtime that is to read it."""

from __future__ import annotations

import copy
import io
import json
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from edgeseg.models.folding import HALF, fold
from edgeseg.models.yolact import DeployedYolact, Yolact
from edgeseg.train.checkpoint import About
from edgeseg.train.normalise import Normalise

OPSET = 17
"""The newest that TensorRT 8.6 reads."""
FEW = 1024
"""A tensor of fewer weights is stored as it is."""


class Deployed(nn.Module):
    """uint8 [1, H, W, 3] BGR -> logits, float32 [1, classes, H / stride, W / stride]: a copy, batch norm folded."""

    task = "semantic"
    outputs: tuple[str, ...] = ("logits",)

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.network = copy.deepcopy(network).eval()
        fold(self.network)
        # The swap of colours costs nothing where the convolutions that see the image read it in the camera's order.
        for module in self.network.modules():
            if isinstance(module, nn.Conv2d) and module.in_channels == 3:
                module.weight = nn.Parameter(module.weight.detach().flip(1))

    def forward(self, image: Tensor) -> Any:
        return self.network(self.normalise.in_bgr(image))


class DeployedInstances(Deployed):
    """uint8 [1, S, S, 3] BGR -> boxes, scores, coefficients, prototypes, as `DeployedYolact` gives them."""

    task = "instances"
    outputs = ("boxes", "scores", "coefficients", "prototypes")

    def __init__(self, network: Yolact) -> None:
        super().__init__(network)
        assert isinstance(self.network, Yolact)
        self.whole = DeployedYolact(self.network)

    def forward(self, image: Tensor) -> Any:
        return self.whole(self.normalise.in_bgr(image))


def to_onnx(deployed: Deployed, about: About, title: str) -> bytes:
    """Returns the checked ONNX graph of fixed shapes, in FP32."""
    width, height = about.input_size
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that writes opset 17 is the one that announces its own retirement.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Shapes are fixed on purpose.
        warnings.filterwarnings("ignore", "Converting a tensor", Warning)
        # So are the constants that follow from them.
        warnings.filterwarnings("ignore", "torch.from_numpy results", Warning)
        # What it leaves unfolded, ONNX Runtime folds below.
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)
        torch.onnx.export(
            deployed,
            (torch.zeros(1, height, width, 3, dtype=torch.uint8),),
            file,  # type: ignore[arg-type]  (a stream is taken too, which the stub does not say)
            input_names=["image"],
            output_names=list(deployed.outputs),
            opset_version=OPSET,
            dynamo=False,
        )
    model = _simplified(file.getvalue())
    onnx.helper.set_model_props(model, _told(deployed, about, title))
    _merge_pads(model.graph)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def version() -> str:
    """Returns edgeseg's version, "not installed" where it runs from a checkout."""
    try:
        return metadata.version("edgeseg")
    except metadata.PackageNotFoundError:
        return "not installed"


def _told(deployed: Deployed, about: About, title: str) -> dict[str, str]:
    """What the file says of itself to who has not its bundle; lists are JSON."""
    return {
        "producer": "edgeseg",
        "version": version(),
        "name": title,
        "architecture": about.model,
        "task": deployed.task,
        "classes": json.dumps(about.classes),
        "palette_rgb": json.dumps(about.palette),
        "input_size": json.dumps(about.input_size),
        "colour_order": "BGR",
        "terms": about.terms,
    }


def _simplified(exported: bytes) -> onnx.ModelProto:
    """Returns the graph with what is constant computed: the exporter leaves in it how it found sizes that are fixed."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder, "graph.onnx"))
        onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
        model = onnx.load(options.optimized_model_filepath)
    # ONNX Runtime lists all that it knows; the graph is plain ONNX.
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    return model


def _merge_pads(graph: onnx.GraphProto) -> None:
    """Lets a convolution pad by itself where a Pad of zeros stands before it: TensorFlow's one-sided padding."""
    constants = {weight.name: weight for weight in graph.initializer}
    pads = {node.output[0]: node for node in graph.node if node.op_type == "Pad"}
    for conv in graph.node:
        pad = pads.get(conv.input[0]) if conv.op_type == "Conv" else None
        if pad is None or sum(pad.output[0] in node.input for node in graph.node) > 1:
            continue
        amounts = numpy_helper.to_array(constants[pad.input[1]]).tolist()
        own = next(attribute for attribute in conv.attribute if attribute.name == "pads")
        own.ints[:] = [a + b for a, b in zip(own.ints, amounts[2:4] + amounts[6:8], strict=True)]
        conv.input[0] = pad.input[0]
        graph.node.remove(pad)
    used = {name for node in graph.node for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def store_halves(graph: bytes) -> bytes:
    """Returns the graph with each larger weight as float16 before a Cast to float32: half the file, and engines cast once.

    Few weights save nothing as halves, and may cost much: the first depthwise filters of MobileNetV2 are differences of large
    numbers (up to 52), and rounding those 288 alone moved an instance model's scores by more than all the others did.
    """
    model = onnx.load_model_from_string(graph)
    kept: list[onnx.TensorProto] = []
    casts: list[onnx.NodeProto] = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.ndim != 4 or values.size < FEW:
            kept.append(weight)
            continue
        half = weight.name + HALF
        with np.errstate(over="ignore"):
            kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [weight.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
