"""The FP16 graph: what computes in FP16 stands in the graph, so that strongly typed TensorRT and everybody else agree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from edgeseg.deploy.graph import FLOAT, HALF, constants, final_nodes, float_tensors, without_unused

MEANS = ("GlobalAveragePool", "ReduceMean")
"""Means of whole maps: a sum of thousands of FP16 numbers overflows, or loses the small ones."""

ALWAYS_FLOAT = {"Resize": (1, 2)}
"""Operator -> its inputs (region, scales) that are FP32 by ONNX's definition."""

ROOM = 0.25
"""Of FP16's range, how much one image's values may take; others may be larger."""

GREATEST = float(np.finfo(np.float16).max)


def kept_in_float(model: onnx.ModelProto, peaks: Mapping[str, float]) -> dict[str, str]:
    """Returns the nodes that stay in FP32, by name, each with the reason.

    peaks: tensor -> the largest magnitude that it had on an image.
    """
    known = {name: float(np.abs(value).max(initial=0)) for name, value in constants(model).items()}
    reached = {**known, **peaks}
    final = final_nodes(model)
    convolutions = {output for node in model.graph.node if node.op_type == "Conv" for output in node.output}
    reasons: dict[str, str] = {}
    for node in model.graph.node:
        most = max(reached.get(name, 0.0) for name in (*node.input, *node.output))
        if node.op_type in MEANS:
            reasons[node.name] = "the mean of a whole map"
        elif node.name in final and node.op_type != "Conv" and convolutions.isdisjoint(node.output):
            reasons[node.name] = "after the last convolution: it makes the answer"
        elif most > ROOM * GREATEST:
            reasons[node.name] = f"its values reach {most:.3g}, and FP16 ends at {GREATEST:.0f}"
    return reasons


def halved(model: onnx.ModelProto, in_float: Mapping[str, str]) -> onnx.ModelProto:
    """Returns the graph with FP16 constants and FP16 arithmetic, but for the nodes `in_float`; its outputs stay FP32.

    model: of `read_graph`. in_float: of `kept_in_float`.
    """
    writer = _Writer(onnx.ModelProto.FromString(model.SerializeToString()))
    for node in model.graph.node:
        writer.add(node, FLOAT if node.name in in_float else HALF)
    return writer.finished()


class _Writer:
    """Writes nodes in order, each with its inputs in its own type; a tensor is cast once for all that read it so."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._floats = float_tensors(model)
        self._constants = {stored.name: stored for stored in model.graph.initializer if stored.data_type == FLOAT}
        self._outputs = {output.name for output in model.graph.output}
        self._nodes: list[onnx.NodeProto] = []
        self._types: dict[str, int] = {}
        self._made: dict[tuple[str, int], str] = {}

    def add(self, original: onnx.NodeProto, kind: int) -> None:
        node = onnx.NodeProto.FromString(original.SerializeToString())
        for place, name in enumerate(node.input):
            always = place in ALWAYS_FLOAT.get(node.op_type, ())
            if name in self._constants or name in self._types:
                node.input[place] = self._as(name, FLOAT if always else kind)
        for place, name in enumerate(node.output):
            if name not in self._floats:
                continue
            if node.op_type == "Cast":
                node.attribute[0].i = kind
            self._types[name] = kind
            if name in self._outputs and kind == HALF:
                node.output[place] = f"{name}.fp16"
                self._made[name, HALF] = node.output[place]
        self._nodes.append(node)

    def finished(self) -> onnx.ModelProto:
        """Ends the graph: outputs that were computed in FP16 are cast."""
        for name in sorted(self._outputs):
            if self._types.get(name) == HALF:
                self._nodes.append(onnx.helper.make_node("Cast", [f"{name}.fp16"], [name], f"{name}.fp32", to=FLOAT))
        graph = self._model.graph
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self._nodes)
        return without_unused(self._model)

    def _as(self, name: str, kind: int) -> str:
        """The name under which a tensor can be read in this type."""
        if name in self._types and self._types[name] == kind:
            return self._made.get((name, kind), name)
        if name in self._constants and kind == FLOAT:
            return name
        if (name, kind) not in self._made:
            made = f"{name}.fp{16 if kind == HALF else 32}"
            if name in self._constants:
                self._model.graph.initializer.append(_half(self._constants[name], made))
            else:
                source = self._made.get((name, self._types[name]), name)
                self._nodes.append(onnx.helper.make_node("Cast", [source], [made], f"{made}.cast", to=kind))
            self._made[name, kind] = made
        return self._made[name, kind]


def _half(stored: onnx.TensorProto, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(stored).astype(np.float16), name)
