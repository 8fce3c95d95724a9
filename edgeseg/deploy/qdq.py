"""The INT8 graph: explicit QuantizeLinear and DequantizeLinear pairs that ONNX Runtime, OpenVINO and TensorRT all read.

After Wu et al. 2020, "Integer Quantization for Deep Learning Inference": symmetric, weights per output channel, activations
per tensor, biases in FP32. What the engines agree on decides the form: TensorRT takes neither a zero point other than 0, nor
an INT32 bias, nor FP16 around the pairs. Pairs stand at what convolutions read, and nowhere else: so engines fuse a
convolution with its activation, and the fewest values are rounded. Weights stay FP32 constants before a pair of their own, which
every engine rounds when it opens the graph: so they can be read from the FP32 graph's file, which has them already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgeseg.deploy.graph import constants, final_nodes, without_unused

GREATEST = 127


def layers(model: onnx.ModelProto) -> list[str]:
    """Returns the convolutions that can be computed in INT8, in the graph's order.

    The last ones are left out: they cost little, and their rounding would be the answer's own.
    """
    final, known = final_nodes(model), constants(model)
    convolutions = (node for node in model.graph.node if node.op_type == "Conv")
    return [node.name for node in convolutions if node.name not in final and node.input[1] in known]


def inputs_of(model: onnx.ModelProto, quantised: Collection[str]) -> dict[str, str]:
    """Returns what each of these convolutions reads: its name -> the tensor that needs a range."""
    return {node.name: node.input[0] for node in model.graph.node if node.name in quantised}


def quantise(model: onnx.ModelProto, ranges: Mapping[str, float], quantised: Collection[str]) -> onnx.ModelProto:
    """Returns the graph with pairs before the convolutions named in `quantised`.

    model: of `read_graph`. ranges: tensor -> the largest magnitude that INT8 shall tell, for all of `inputs_of`.
    """
    result = onnx.ModelProto.FromString(model.SerializeToString())
    writer = _Writer(result, ranges, set(inputs_of(model, quantised).values()))
    for node in model.graph.node:
        writer.add(node, node.name in quantised)
    writer.finish()
    return without_unused(result)


def weight_scale(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the step of each output channel, float32 [O], of a weight [O, ...]: the largest magnitude is 127 steps."""
    peaks = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    return (np.maximum(peaks, 1e-9) / GREATEST).astype(np.float32)


class _Writer:
    """Writes nodes in order; each tensor of `rounded` through one QuantizeLinear and, for each reader, a DequantizeLinear."""

    def __init__(self, model: onnx.ModelProto, ranges: Mapping[str, float], rounded: set[str]) -> None:
        self._graph = model.graph
        self._ranges, self._rounded = ranges, rounded
        self._constants = constants(model)
        self._nodes: list[onnx.NodeProto] = []
        self._stored: set[str] = set()

    def add(self, original: onnx.NodeProto, in_int8: bool) -> None:
        node = onnx.NodeProto.FromString(original.SerializeToString())
        for place, name in enumerate(node.input):
            # A sum reads the rounded tensor too, so that an engine need keep only that one; a layer kept in float does not.
            if name in self._rounded and (in_int8 or node.op_type == "Add"):
                node.input[place] = self._dequantised(name, f"{node.name}.{place}")
        if in_int8:
            node.input[1] = self._weight(node.input[1], node.name)
        self._nodes.append(node)
        for name in node.output:
            if name in self._rounded:
                self._quantised(name, np.float32(max(self._ranges[name], 1e-6) / GREATEST), np.int8(0))

    def finish(self) -> None:
        """Puts what was written into the graph."""
        del self._graph.node[:], self._graph.value_info[:]
        self._graph.node.extend(self._nodes)

    def _weight(self, name: str, reader: str) -> str:
        if name not in self._stored:
            scale = weight_scale(np.asarray(self._constants[name], np.float32))
            self._quantised(name, scale, np.zeros(len(scale), np.int8), axis=0)
            self._stored.add(name)
        return self._dequantised(name, reader, axis=0)

    def _dequantised(self, name: str, reader: str, axis: int | None = None) -> str:
        output = f"{name}.{reader}"
        self._pair("DequantizeLinear", f"{name}.int8", name, output, f"{output}.dequantize", axis)
        return output

    def _quantised(
        self,
        name: str,
        scale: np.float32 | NDArray[np.float32],
        zero: np.int8 | NDArray[np.int8],
        axis: int | None = None,
    ) -> None:
        for kind, value in (("scale", scale), ("zero", zero)):
            self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"{name}.{kind}"))
        self._pair("QuantizeLinear", name, name, f"{name}.int8", f"{name}.quantize", axis)

    def _pair(self, operator: str, read: str, of: str, output: str, title: str, axis: int | None) -> None:
        # An attribute of None is left out: a tensor has one scale, a weight one for each output channel.
        parts = [read, f"{of}.scale", f"{of}.zero"]
        self._nodes.append(onnx.helper.make_node(operator, parts, [output], title, axis=axis))  # type: ignore[arg-type]
