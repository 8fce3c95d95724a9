"""From a checkpoint to a bundle: an ONNX graph that takes camera pixels, and the golden frame for engines."""

from __future__ import annotations

import copy
import io
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from edgeseg.core.bundle import GOLDEN, write_bundle
from edgeseg.core.errors import EdgesegError
from edgeseg.data.classes import IGNORE_ID
from edgeseg.data.street import Street
from edgeseg.models import INSTANCE_MODELS, build_model
from edgeseg.models.folding import HALF, fold
from edgeseg.models.layers import SegmentationNetwork
from edgeseg.models.yolact import DeployedYolact, Yolact
from edgeseg.train.checkpoint import About, load_weights, read_about
from edgeseg.train.normalise import Normalise

OPSET = 17
"""The newest that TensorRT 8.6 reads."""
GRAPH = "model.fp32.onnx"
LARGEST_ERROR = 1e-2
"""How far an output of the graph may lie from PyTorch's, relative to the largest one: weights are stored as halves."""
_GOLDEN_SEED, _GOLDEN_INDEX = 1, 240


def export(
    checkpoint: Path,
    out: Path,
    *,
    name: str | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    training: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the bundle of a checkpoint to the folder `out` and returns it.

    name: how users call it; the folder's name if None. metrics: added to those that the checkpoint carries.
    training: fields that replace or add to the checkpoint's own.
    Raises EdgesegError where the graph does not compute what the network does, BundleError for an `out` that can't be.
    """
    about = read_about(checkpoint)
    network = rebuilt(checkpoint, about)
    deployed = DeployedInstances(network) if isinstance(network, Yolact) else Deployed(network)
    title = name or out.resolve().name
    graph = to_onnx(deployed, about, title)
    image = golden_image(about.input_size)
    outputs = checked_outputs(graph, network, image)
    manifest = {
        "name": title,
        "task": deployed.task,
        "architecture": about.model,
        "input": {"width": about.input_size[0], "height": about.input_size[1], "fit": "stretch"},
        "stride": network.stride,
        "classes": about.classes,
        "palette": about.palette,
        "ignore_id": IGNORE_ID,
        "graphs": {"fp32": GRAPH},
        "metrics": [*about.metrics, *metrics],
        "training": {**about.training, **(training or {})},
        "terms": about.terms,
    }
    golden = io.BytesIO()
    arrays: dict[str, Any] = {"image": image, **outputs}
    np.savez_compressed(golden, **arrays)
    return write_bundle(out, manifest, {GRAPH: graph, GOLDEN: golden.getvalue()}).path


def rebuilt(checkpoint: Path, about: About) -> SegmentationNetwork | Yolact:
    """Returns the network of a checkpoint with its weights, for inference. Raises EdgesegError."""
    options = {"size": about.input_size[0]} if about.model in INSTANCE_MODELS else {}
    network = build_model(about.model, len(about.classes), **options)
    load_weights(checkpoint, network)
    return network.eval()


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
    """Returns the checked ONNX graph of fixed shapes, which computes in FP32 and stores its weights in FP16."""
    width, height = about.input_size
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that writes opset 17 is the one that announces its own retirement.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Shapes are fixed on purpose.
        warnings.filterwarnings("ignore", "Converting a tensor", Warning)
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
    classes = ",".join(about.classes)
    onnx.helper.set_model_props(model, {"producer": "edgeseg", "name": title, "classes": classes})
    _merge_pads(model.graph)
    _store_halves(model.graph)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


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


def _store_halves(graph: onnx.GraphProto) -> None:
    """Stores each larger weight as float16 before a Cast to float32: half the file, and engines do the cast once."""
    kept: list[onnx.TensorProto] = []
    casts: list[onnx.NodeProto] = []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.ndim != 4:
            kept.append(weight)
            continue
        half = weight.name + HALF
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [weight.name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


def golden_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns uint8 [H, W, 3] BGR of `size` (width, height): a rendered street, stretched as at runtime."""
    frame = Street(_GOLDEN_SEED, 1280, 720, 30.0).render(_GOLDEN_INDEX)
    return np.asarray(cv2.resize(frame.image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


@torch.inference_mode()
def checked_outputs(
    graph: bytes, network: SegmentationNetwork | Yolact, image: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """Returns what the graph answers to `image`, by output name. Raises EdgesegError where PyTorch's answer is another.

    image: uint8 [H, W, 3] BGR.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = [np.asarray(answer, np.float32) for answer in session.run(names, {"image": image[None]})]
    seen = Normalise()(torch.from_numpy(image)[None])
    expected = DeployedYolact(network)(seen) if isinstance(network, Yolact) else (network(seen),)
    for name, answer, reference in zip(names, answers, expected, strict=True):
        error = float(np.abs(answer - reference.numpy()).max() / max(float(reference.abs().max()), 1e-6))
        if not error <= LARGEST_ERROR:
            raise EdgesegError(
                f"the exported graph's {name} are {error:.1e} off PyTorch's on the golden frame (at most "
                f"{LARGEST_ERROR:.0e}); this export of the network is wrong, and no bundle was written"
            )
    return dict(zip(names, answers, strict=True))
