"""YOLACT is the paper's on MobileNetV2: its anchors, size and cost, and the graph that is deployed of it."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edgeseg.models import build_model
from edgeseg.models.mobilenet import MobileNetV2
from edgeseg.models.yolact import (
    ASPECTS,
    DeployedYolact,
    PredictionHead,
    Pyramid,
    Yolact,
    YolactOutput,
    anchors,
    decode_boxes,
    encode_boxes,
)
from tests.models.counting import macs, weights

OUTPUTS = ["boxes", "scores", "coefficients", "prototypes"]
PLAIN = {"Add", "Clip", "Concat", "Conv", "Exp", "Mul", "Pad", "Relu", "Reshape", "Resize", "Slice", "Softmax", "Sub"}
PLAIN |= {"Tanh", "Transpose"}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small only wait for each other on several cores, and the more so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network() -> Yolact:
    torch.manual_seed(0)
    network = Yolact(3, size=64, prototypes=8, width=16)
    norms = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    # Without statistics of its own each of the many layers makes its signal smaller, and nothing of it is left.
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
    return network.eval()


def shapes(size: int) -> YolactOutput:
    """Returns what a Yolact of one class answers at `size`, without computing it."""
    with torch.device("meta"):
        return Yolact(1, size).eval()(torch.zeros(1, 3, size, size))


@pytest.mark.parametrize(
    ("width", "count", "costs"),
    [
        (128, 3_447_616, (3_173_340_160, 5_366_158_720, 9_520_434_704)),
        (256, 8_064_192, (10_338_126_336, 17_482_308_480, 30_908_738_192)),
    ],
)
def test_its_size_and_cost_are_the_docstrings(width: int, count: int, costs: tuple[int, ...]) -> None:
    with torch.device("meta"):
        networks = {size: Yolact(1, size, width=width) for size in (320, 416, 550)}
    assert {weights(network) for network in networks.values()} == {count}
    assert tuple(macs(network, size, size) for size, network in networks.items()) == costs
    assert Yolact.__doc__ is not None
    for said in (f"{count / 1e6:.2f} M", *(f"{cost / 1e9:.2f} G" for cost in costs)):
        assert said in Yolact.__doc__


@pytest.mark.parametrize(("size", "count", "fine"), [(320, 6_402, 80), (416, 10_842, 104), (550, 19_248, 138)])
def test_the_size_is_a_number_and_every_anchor_is_answered(size: int, count: int, fine: int) -> None:
    output = shapes(size)
    assert len(anchors(size)) == count
    assert output.boxes.shape == (1, count, 4)
    assert output.classes.shape == (1, count, 2)
    assert output.coefficients.shape == (1, count, 32)
    assert output.prototypes.shape == (1, 32, fine, fine)
    assert output.semantic.shape == (1, 1, fine // 2, fine // 2)


@pytest.mark.parametrize("size", [416, 550])
def test_anchors_have_the_papers_scales_and_aspects(size: int) -> None:
    boxes = anchors(size)
    sides = (boxes[:, 2] * boxes[:, 3]).sqrt() * 550
    assert sides.unique().round(decimals=2).unique().tolist() == [24, 48, 96, 192, 384]
    torch.testing.assert_close(boxes[:, 2] / boxes[:, 3], torch.tensor(ASPECTS).repeat(len(boxes) // 3))
    assert boxes.dtype == torch.float32
    assert boxes[:, :2].min() > 0 and boxes[:, :2].max() < 1


def test_an_answer_belongs_to_the_anchor_over_its_cell() -> None:
    head = PredictionHead(4, classes=2, prototypes=5)
    for parameter in head.parameters():
        torch.nn.init.constant_(parameter, float(parameter.ndim > 1))
    level = torch.zeros(1, 4, 8, 8)
    level[..., 2, 5] = 1
    answered = head(level)[0][0].abs().sum(1)
    nearest = anchors(64)[answered.argmax(), :2] * 8
    assert nearest.tolist() == [5.5, 2.5]


def test_coefficients_have_either_sign_and_prototypes_one(network: Yolact) -> None:
    with torch.inference_mode():
        output = network(5 * torch.randn(1, 3, 64, 64))
    assert output.coefficients.min() < 0 < output.coefficients.max()
    assert output.coefficients.abs().max() <= 1
    assert output.prototypes.min() == 0 < output.prototypes.max()


def test_the_head_that_all_levels_share_meets_features_of_one_magnitude() -> None:
    torch.manual_seed(1)
    pyramid = Pyramid((8, 16, 24), 32)
    features = tuple(
        scale * torch.randn(4, channels, side, side)
        for scale, channels, side in ((6.0, 8, 32), (4.0, 16, 16), (1.0, 24, 8))
    )
    levels = [float(level.detach().square().mean().sqrt()) for level in pyramid.train()(features)]
    assert max(levels) < 1.5 * min(levels)


def test_boxes_come_back_from_their_offsets() -> None:
    draw = torch.Generator().manual_seed(1)
    corners = torch.rand(258, 2, 2, generator=draw).sort(1).values
    boxes = corners.flatten(1)
    torch.testing.assert_close(decode_boxes(encode_boxes(boxes, anchors(64)), anchors(64)), boxes)


def test_an_offset_is_measured_in_ssds_variances() -> None:
    anchor = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    moved = decode_boxes(torch.tensor([[1.0, 0, 0, 5 * math.log(1.5)]]), anchor)
    torch.testing.assert_close(moved, torch.tensor([[0.42, 0.2, 0.62, 0.8]]))


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_no_offset_makes_a_box_that_is_no_number(kind: torch.dtype) -> None:
    offsets = torch.tensor([-1e4, -50, 0, 50, 1e4], dtype=kind)
    boxes = decode_boxes(torch.cartesian_prod(offsets, offsets, offsets, offsets)[:, None], anchors(64)[:1].to(kind))
    assert boxes.dtype == kind
    assert boxes.min() >= 0 and boxes.max() <= 1, "no NaN either"


def test_it_can_begin_with_imagenet_weights_and_a_loss_reaches_every_parameter() -> None:
    network = build_model("yolact-mobilenetv2", 2, size=64, width=8)
    assert isinstance(network.backbone, MobileNetV2)
    output = network.train()(torch.randn(2, 3, 64, 64))
    torch.stack([part.square().mean() for part in output]).sum().backward()
    unreached = [name for name, p in network.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert not unreached


def test_without_a_size_it_is_built_for_416() -> None:
    with torch.device("meta"):
        assert build_model("yolact-mobilenetv2", 1).size == 416


@pytest.fixture(scope="module")
def graph(network: Yolact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported graph, with what is constant computed."""
    file, path = io.BytesIO(), tmp_path_factory.mktemp("graph") / "graph.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)
        torch.onnx.export(
            DeployedYolact(network).eval(),
            (torch.zeros(1, 3, 64, 64),),
            file,  # type: ignore[arg-type]  (a stream is taken too, which the stub does not say)
            input_names=["image"],
            output_names=OUTPUTS,
            opset_version=17,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    return path


def test_the_graph_answers_as_torch_does(network: Yolact, graph: Path) -> None:
    image = 3 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = DeployedYolact(network).eval()(image)
        raw = network(image)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(OUTPUTS, {"image": image.numpy()})
    for name, got, wanted in zip(OUTPUTS, found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(got), wanted.numpy(), rtol=1e-3, atol=1e-4, err_msg=name)
    assert expected[1].shape == (1, 258, 3)
    background = raw.classes.softmax(-1)[..., 0]
    torch.testing.assert_close(expected[1].sum(-1), 1 - background)
    assert expected[0].std() > 0.05, "boxes that differ, or the comparison says little"


def test_the_graph_has_fixed_shapes_plain_operators_and_no_semantic_layer(network: Yolact, graph: Path) -> None:
    model = onnx.load(graph)
    sizes = [[axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in model.graph.output]
    assert sizes == [[1, 258, 4], [1, 258, 3], [1, 258, 8], [1, 8, 16, 16]]
    computed = {node.op_type for node in model.graph.node} - {"Constant", "Identity"}
    assert computed <= PLAIN
    kept = {tuple(tensor.dims) for tensor in model.graph.initializer}
    assert tuple(network.head.boxes.weight.shape) in kept
    assert tuple(network.semantic.weight.shape) not in kept
