"""An ONNX graph as quantization sees it: plain FP32 weights, every node named, every tensor's type known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import numpy_helper

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import BundleError

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def read_graph(bundle: Bundle) -> onnx.ModelProto:
    """Returns the FP32 graph of a bundle with its weights as FP32 constants. Raises BundleError."""
    path = bundle.graph("fp32")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as error:
        said = str(error).strip().splitlines()[0]
        raise BundleError(f"{path}: not a sound ONNX graph ({said}); export the bundle anew") from error
    return plain(model)


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a copy in which weights stored as FP16 before a Cast are FP32 constants, and every node has a name of its own."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    stored = {constant.name: constant for constant in graph.initializer}
    for node in list(graph.node):
        if node.op_type == "Cast" and node.input[0] in stored:
            values = onnx.helper.tensor_dtype_to_np_dtype(node.attribute[0].i)
            array = numpy_helper.to_array(stored[node.input[0]]).astype(values)
            graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
            graph.node.remove(node)
    names: set[str] = set()
    for node in graph.node:
        name = node.name or node.output[0]
        node.name = name if name not in names else node.output[0]
        names.add(node.name)
    return without_unused(model)


def without_unused(model: onnx.ModelProto) -> onnx.ModelProto:
    """Removes, in place, constants that no node reads. Returns the model."""
    used = {name for node in model.graph.node for name in node.input} | {out.name for out in model.graph.output}
    kept = [constant for constant in model.graph.initializer if constant.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return model


def constants(model: onnx.ModelProto) -> dict[str, NDArray[np.generic]]:
    """Returns the graph's constants by name."""
    return {stored.name: numpy_helper.to_array(stored) for stored in model.graph.initializer}


def float_tensors(model: onnx.ModelProto) -> set[str]:
    """Returns the names of all FP32 tensors that nodes compute."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    known = [*inferred.value_info, *inferred.output, *inferred.input]
    return {info.name for info in known if info.type.tensor_type.elem_type == FLOAT}


def final_nodes(model: onnx.ModelProto) -> set[str]:
    """Returns the names of the nodes after which no convolution follows: what makes the outputs of the last ones' answers."""
    convolved: set[str] = set()
    final: set[str] = set()
    for node in reversed(model.graph.node):
        if convolved.isdisjoint(node.output):
            final.add(node.name)
        if node.op_type == "Conv" or not convolved.isdisjoint(node.output):
            convolved.update(node.input)
    return final


def with_outputs(model: onnx.ModelProto, names: Iterable[str]) -> bytes:
    """Returns the graph with only these tensors, FP32, as its outputs."""
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_tensor_value_info(name, FLOAT, None) for name in names)
    return watched.SerializeToString()
