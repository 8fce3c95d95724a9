"""What a network is, counted from its graph: parameters, multiply-accumulates, bytes."""

from __future__ import annotations

import math
from pathlib import Path

import onnx
from onnx import GraphProto, NodeProto, shape_inference

from edgeseg.core.errors import BundleError
from edgeseg.profile.rows import Network

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
"""Precision -> bytes a number."""


def count_network(graph_file: Path, precision: str) -> Network:
    """Counts the FP32 graph of a bundle: convolutions and matrix products, as in papers; all else is little beside them.

    precision: that of the bytes moved. Raises BundleError where a shape in the graph is not fixed.
    """
    model = shape_inference.infer_shapes(onnx.load(graph_file), strict_mode=True)
    graph = model.graph
    shapes = _shapes(graph)
    known = _weights(graph)
    parameters: dict[str, int] = {}
    macs = moved = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        names = [name for name in (*node.input, *node.output) if name]
        if any(name not in shapes for name in names):
            raise BundleError(f"{graph_file}: the shape of {node.name or node.op_type} is not fixed; export it anew")
        macs += _macs(node, shapes)
        # By name, since a head may be shared by several levels.
        parameters |= {name: math.prod(shapes[name]) for name in node.input[1:] if name in known}
        moved += sum(math.prod(shapes[name]) for name in names)
    return {
        "parameters": sum(parameters.values()),
        "macs": macs,
        "bytes_moved": moved * BYTES[precision],
        "graph_bytes": graph_file.stat().st_size,
    }


def _macs(node: NodeProto, shapes: dict[str, tuple[int, ...]]) -> int:
    left, right, out = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
    match node.op_type:
        case "Conv":  # each output value takes a filter's inputs of its group
            return math.prod(out) * math.prod(right[1:])
        case "ConvTranspose":  # each input value goes into a filter's outputs
            return math.prod(left) * math.prod(right[1:])
        case "Gemm":
            transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
            return math.prod(out) * left[0 if transposed else 1]
        case _:
            return math.prod(out) * left[-1]


def _weights(graph: GraphProto) -> set[str]:
    """Names of what training has set: the graph's constants, and those that are stored as halves and cast when it is opened."""
    constants = {each.name for each in graph.initializer}
    return constants | {node.output[0] for node in graph.node if node.op_type == "Cast" and node.input[0] in constants}


def _shapes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """Name of each tensor whose shape is fixed -> its shape."""
    shapes = {each.name: tuple(each.dims) for each in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        sides = value.type.tensor_type.shape.dim
        if all(side.HasField("dim_value") for side in sides):
            shapes[value.name] = tuple(side.dim_value for side in sides)
    return shapes
