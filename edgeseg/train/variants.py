"""Graphs for users of other runtimes, made from a bundle's own: one that ends at labels, one that takes several images."""

from __future__ import annotations

from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeseg.core.errors import EdgesegError
from edgeseg.train.export import answers
from edgeseg.vision.decode import decode

LOGITS, LABELS, BATCH = "logits", "labels", "batch"
SAME_LABELS = 0.9999
"""Share of the pixels that must have the label of edgeseg's own tail: only ties may go the other way."""
SAME_ANSWER = 1e-4
"""How far an image's answer may lie from what it is alone, as a share of the largest value: sums in another order."""


def with_labels(graph: bytes, kind: Literal["uint8", "int32"] = "uint8") -> bytes:
    """Returns the graph with its logits upsampled to the input's size, and argmaxed: labels, [1, H, W] of `kind`.

    graph: semantic, of fixed shapes. Upsampling is bilinear in the convention of `edgeseg.vision.decode`.
    """
    model = onnx.load_model_from_string(graph)
    height, width = _shape(model.graph.input[0])[1:3]
    classes = _shape(model.graph.output[0])[1]
    number = {"uint8": TensorProto.UINT8, "int32": TensorProto.INT32}[kind]
    size = numpy_helper.from_array(np.array([1, classes, height, width], np.int64), "labels.size")
    model.graph.initializer.append(size)
    model.graph.node.extend(
        [
            helper.make_node(
                "Resize",
                [LOGITS, "", "", size.name],
                ["labels.logits"],
                mode="linear",
                coordinate_transformation_mode="pytorch_half_pixel",
            ),
            helper.make_node("ArgMax", ["labels.logits"], ["labels.ids"], axis=1, keepdims=0),
            helper.make_node("Cast", ["labels.ids"], [LABELS], to=number),
        ]
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(LABELS, number, [1, height, width]))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def with_free_batch(graph: bytes) -> bytes:
    """Returns the graph for any number of images: in each shape that it holds, the first size is the input's own."""
    model = onnx.load_model_from_string(graph)
    constants = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    nodes = [helper.make_node("Shape", [model.graph.input[0].name], [BATCH], start=0, end=1)]
    for node in model.graph.node:
        # Reshape names its shape second, Resize its sizes fourth.
        place = {"Reshape": 1, "Resize": 3}.get(node.op_type, len(node.input))
        sizes = constants.get(node.input[place]) if place < len(node.input) else None
        if sizes is not None and sizes[0] == 1:
            rest = numpy_helper.from_array(sizes[1:], f"{node.output[0]}.rest")
            model.graph.initializer.append(rest)
            node.input[place] = f"{node.output[0]}.sizes"
            nodes.append(helper.make_node("Concat", [BATCH, rest.name], [node.input[place]], axis=0))
        nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in used]
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def check_labels(variant: bytes, graph: bytes, image: NDArray[np.uint8]) -> float:
    """Returns the share of the pixels of `image`, uint8 [H, W, 3] BGR, that have the label of edgeseg's own tail.

    Raises EdgesegError where it is less than `SAME_LABELS`.
    """
    expected = decode(answers(graph, image[None])[LOGITS][0], *image.shape[:2])
    share = float((answers(variant, image[None])[LABELS][0] == expected).mean())
    if share < SAME_LABELS:
        raise EdgesegError(
            f"the graph with labels agrees with the bundle's own on {100 * share:.2f} % of the pixels: it is wrong"
        )
    return share


def check_batch(variant: bytes, graph: bytes, image: NDArray[np.uint8]) -> float:
    """Returns how far answers to one image, and to three at once, lie from those of `graph` to each, as a share of the
    largest value.

    image: uint8 [H, W, 3] BGR, which is also mirrored and turned. Raises EdgesegError for more than `SAME_ANSWER`.
    """
    images = np.stack([image, image[:, ::-1], image[::-1]])
    off = 0.0
    for batch in (images[:1], images):
        together = answers(variant, batch)
        for place, one in enumerate(batch):
            for name, alone in answers(graph, one[None]).items():
                difference = np.abs(together[name][place] - alone[0]).max() / max(float(np.abs(alone).max()), 1e-6)
                off = max(off, float(difference))
    if not off <= SAME_ANSWER:
        raise EdgesegError(
            f"of a batch, an image's answer lies {off:.1e} off what it is alone: this network can't have one"
        )
    return off


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    return [size.dim_value for size in value.type.tensor_type.shape.dim]
