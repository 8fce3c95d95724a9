"""Weights are stored once: the FP16 and the INT8 graph read them out of the FP32 graph's file, and notice another one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

import edgeseg
from edgeseg.core.bundle import Bundle, amend_bundle
from edgeseg.core.errors import BundleError
from edgeseg.deploy.keep import keep
from edgeseg.deploy.quantize import Wishes, quantize
from edgeseg.deploy.weights import shared
from edgeseg.runtime.engine_file import Device, EngineKey
from edgeseg.runtime.openvino import OpenVinoEngine
from edgeseg.runtime.ort import OnnxRuntimeEngine
from tests.deploy import colour_net

CHANNELS = 96
DERIVED = ("fp16", "int8")
ORIN = Device("tensorrt", "10.3.0", "linux-aarch64", "Orin", "8.7")


def quiet(what: str, total: int) -> Callable[[], object]:
    return lambda: None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return colour_net.write_data(tmp_path_factory.mktemp("data"), train=32, val=4)


def quantized(bundle: Bundle, data: str) -> Bundle:
    return keep(quantize(bundle, Wishes(DERIVED, data), quiet), bundle.path.parent / "calib")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, data: str) -> Bundle:
    """A bundle with all three graphs, whose FP32 graph stores halves."""
    network = colour_net.in_halves(colour_net.graph(channels=CHANNELS))
    return quantized(colour_net.write_graph(tmp_path_factory.mktemp("shelf") / "even", network), data)


@pytest.fixture
def copied(kept: Bundle, tmp_path: Path) -> Bundle:
    return Bundle.open(shutil.copytree(kept.path, tmp_path / "even"))


def self_contained(graph: Path) -> onnx.ModelProto:
    """Returns a graph that holds its weights itself, those of INT8 rounded by numpy."""
    model = onnx.load(graph)
    constants = {stored.name: stored for stored in model.graph.initializer}
    for node in list(model.graph.node):
        if node.input[0] not in constants:
            continue
        values = numpy_helper.to_array(constants[node.input[0]])
        if node.op_type == "Cast":
            values = values.astype(np.float32)
        elif node.op_type == "QuantizeLinear":
            scale = numpy_helper.to_array(constants[node.input[1]])
            values = np.rint(values / scale.reshape(-1, 1, 1, 1)).astype(np.int8)
        else:
            continue
        constants[node.output[0]] = numpy_helper.from_array(values, node.output[0])
        model.graph.initializer.append(constants[node.output[0]])
        model.graph.node.remove(node)
    return model


@pytest.mark.parametrize("precision", DERIVED)
def test_a_derived_graph_is_small(kept: Bundle, precision: str) -> None:
    assert kept.graph(precision).stat().st_size < 0.15 * kept.graph("fp32").stat().st_size
    onnx.checker.check_model(str(kept.graph(precision)), full_check=True)


def test_the_fp32_graph_stays_one_file_as_it_was(kept: Bundle) -> None:
    model = colour_net.in_halves(colour_net.graph(channels=CHANNELS))
    assert kept.graph("fp32").read_bytes() == model.SerializeToString()


@pytest.mark.parametrize("precision", DERIVED)
def test_what_it_reads_are_the_weights_of_the_fp32_graph(kept: Bundle, precision: str) -> None:
    halves = {t.name: t for t in onnx.load(kept.graph("fp32")).graph.initializer if t.name.endswith(".half")}
    outside = [
        stored.name
        for stored in onnx.load(kept.graph(precision), load_external_data=False).graph.initializer
        if stored.data_location == TensorProto.EXTERNAL
    ]
    read = {stored.name: numpy_helper.to_array(stored) for stored in onnx.load(kept.graph(precision)).graph.initializer}
    assert set(outside) >= {f"{name}.weight.{'fp16' if precision == 'fp16' else 'half'}" for name in colour_net.LAYERS}
    for name in outside:
        if "weight" in name:
            half = f"{name.removesuffix('.fp16').removesuffix('.half')}.half"
            np.testing.assert_array_equal(read[name], numpy_helper.to_array(halves[half]))


@pytest.mark.parametrize("precision", DERIVED)
def test_it_computes_what_it_would_with_weights_of_its_own(kept: Bundle, tmp_path: Path, precision: str) -> None:
    alone = tmp_path / "alone.onnx"
    onnx.save(self_contained(kept.graph(precision)), alone)
    image, _ = colour_net.picture(5)
    asked: dict[str, Any] = {"precision": precision, "threads": 1, "reason": "test"}
    with OnnxRuntimeEngine(kept.graph(precision), **asked) as one, OnnxRuntimeEngine(alone, **asked) as other:
        np.testing.assert_array_equal(one.infer(image)["logits"], other.infer(image)["logits"])
    with OpenVinoEngine(kept.graph(precision), **asked) as one, OpenVinoEngine(alone, **asked) as other:
        said, also_said = one.infer(image)["logits"], other.infer(image)["logits"]
        # What it fuses is its own choice, and so is the order of its sums.
        np.testing.assert_allclose(said, also_said, atol=0.01 * np.ptp(also_said))


@pytest.mark.parametrize("precision", ["fp32", *DERIVED])
def test_every_engine_opens_it_and_finds_the_colours(kept: Bundle, precision: str) -> None:
    image, labels = colour_net.picture(2000)
    for engine in ("onnxruntime", "openvino"):
        with edgeseg.load(kept.path, engine=engine, precision=precision) as segmenter:
            found = segmenter(image)
            assert isinstance(found, edgeseg.SemanticMask)
            assert np.mean(found.labels == labels) > 0.95


@pytest.mark.parametrize("precision", ["fp32", *DERIVED])
def test_tensorrt_builds_it(copied: Bundle, precision: str) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx has a wheel for x86_64 alone")
    from edgeseg.deploy.build import build, plan
    from tests.deploy.test_build import Phases

    assert build(copied, plan(copied, precision, trt), trt, Phases()).size > 10_000


@pytest.mark.parametrize("precision", DERIVED)
def test_one_byte_of_the_fp32_file_is_noticed_in_one_line(copied: Bundle, precision: str) -> None:
    path = copied.graph("fp32")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for asked in (lambda: copied.graph(precision), lambda: edgeseg.load(copied.path, precision=precision)):
        with pytest.raises(BundleError, match=r"model\.fp32\.onnx: sha256 is .* was altered") as caught:
            asked()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("precision", DERIVED)
def test_a_graph_made_from_other_weights_is_refused(copied: Bundle, precision: str) -> None:
    altered = amend_bundle(copied, {"model.fp32.onnx": answers_swapped(copied).SerializeToString()})
    with pytest.raises(BundleError, match="was made from another"):
        altered.graph(precision)


def test_other_weights_need_another_engine(kept: Bundle, tmp_path: Path, data: str) -> None:
    altered = quantized(colour_net.write_graph(tmp_path / "even", answers_swapped(kept)), data)
    # What differs lies in the FP32 file alone: the FP16 graph tells it by its source.
    one, other = (onnx.load(bundle.graph("fp16"), load_external_data=False) for bundle in (kept, altered))
    assert one.graph == other.graph
    for precision in DERIVED:
        assert EngineKey.wanted(kept, precision, ORIN) != EngineKey.wanted(altered, precision, ORIN)


def answers_swapped(bundle: Bundle) -> onnx.ModelProto:
    """Returns the bundle's FP32 graph with two filters of the last layer in each other's place."""
    model = onnx.load(bundle.graph("fp32"))
    weight = next(stored for stored in model.graph.initializer if stored.name == "answer.weight.half")
    swapped = numpy_helper.to_array(weight)[[1, 0, 2]]
    weight.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(swapped), weight.name))
    return model


def test_weights_that_are_plain_fp32_are_read_as_such(tmp_path: Path) -> None:
    model = colour_net.graph(channels=CHANNELS)
    small = shared(model, colour_net.write_graph(tmp_path / "plain", model))
    assert [node.name for node in small.graph.node] == [node.name for node in model.graph.node]
    assert len(small.SerializeToString()) < 0.1 * len(model.SerializeToString())


def test_a_weight_that_is_not_in_the_file_stays_in_the_graph(tmp_path: Path) -> None:
    bundle = colour_net.write_graph(tmp_path / "plain", colour_net.graph(channels=CHANNELS))
    other = colour_net.graph(planted=2, channels=CHANNELS)
    inside = {
        stored.name
        for stored in shared(other, bundle).graph.initializer
        if stored.data_location != TensorProto.EXTERNAL
    }
    assert {"blocks.weight", "mix.weight"} <= inside
    assert "spread.weight" not in inside
