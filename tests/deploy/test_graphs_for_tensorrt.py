"""TensorRT for RTX builds what `quantize` makes, without a GPU, and refuses the forms that it must not have."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeseg.deploy.half import halved, kept_in_float
from edgeseg.deploy.qdq import inputs_of, layers, quantise
from tests.deploy import colour_net

trt: Any = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has a wheel for x86_64 alone")


def build(model: onnx.ModelProto) -> tuple[int, str]:
    """Returns the bytes of the engine, 0 where there is none, and what was said against the graph."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if typed is None else 1 << int(typed))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model.SerializeToString()):
        return 0, "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
    engine = builder.build_serialized_network(network, builder.create_builder_config())
    return (engine.nbytes, "") if engine is not None else (0, "not built")


def int8_graph() -> onnx.ModelProto:
    model = colour_net.graph()
    names = layers(model)
    return quantise(model, dict.fromkeys(inputs_of(model, names).values(), 1.0), names)


def fp16_graph() -> onnx.ModelProto:
    model = colour_net.graph()
    return halved(model, kept_in_float(model, {}))


@pytest.mark.parametrize("make", [int8_graph, fp16_graph])
def test_it_builds_what_quantize_makes(make: Any) -> None:
    size, said = build(make())
    assert size > 0, said


def test_it_refuses_an_int32_bias() -> None:
    model = int8_graph()
    graph = model.graph
    bias = next(constant for constant in graph.initializer if constant.name == "mix.bias")
    graph.initializer.remove(bias)
    graph.initializer.extend(
        numpy_helper.from_array(value, name)
        for name, value in {
            "mix.bias.int32": np.zeros(colour_net.CHANNELS, np.int32),
            "mix.bias.scale": np.ones(colour_net.CHANNELS, np.float32),
            "mix.bias.zero": np.zeros(colour_net.CHANNELS, np.int32),
        }.items()
    )
    parts = ["mix.bias.int32", "mix.bias.scale", "mix.bias.zero"]
    graph.node.insert(0, helper.make_node("DequantizeLinear", parts, ["mix.bias"], "mix.bias.dequantize", axis=0))
    onnx.checker.check_model(model, full_check=True)
    size, said = build(model)
    assert size == 0
    assert "Int32" in said


def test_it_refuses_fp16_around_the_pairs() -> None:
    model = int8_graph()
    for constant in model.graph.initializer:
        if constant.name in {"mix.bias", "spread.bias"}:
            values = numpy_helper.to_array(constant).astype(np.float16)
            constant.CopyFrom(numpy_helper.from_array(values, constant.name))
    for node in model.graph.node:
        if node.op_type == "Cast":
            node.attribute[0].i = TensorProto.FLOAT16
    size, said = build(model)
    assert size == 0
    assert said
