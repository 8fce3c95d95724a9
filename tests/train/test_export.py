"""What export writes: a graph that equals PyTorch's network, says what it is, and is read by every runtime."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn
from torch.nn import functional as F

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.models import build_model
from edgeseg.models.yolact import Yolact
from edgeseg.train.checkpoint import About, save_weights
from edgeseg.train.export import answers, checked_outputs, export, opened, reference_outputs
from edgeseg.train.graph import FEW
from edgeseg.train.normalise import Normalise
from edgeseg.train.variants import check_batch, check_labels, with_free_batch, with_labels

CLASSES = ("road", "a class, with a comma", "sky")
PALETTE = ((10, 20, 30), (40, 50, 60), (70, 80, 90))
MEASURED = {"data": "street", "split": "val", "miou": 0.5}


def _checkpoint(path: Path, model: str, size: tuple[int, int]) -> Path:
    """Random weights, and batch norms that do something."""
    torch.manual_seed(0)
    network = build_model(model, len(CLASSES), **({"size": size[0]} if model.startswith("yolact") else {}))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    save_weights(path, network, About(model, CLASSES, PALETTE, size, "nobody's", {"seed": 7}, (MEASURED,)))
    return path


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By task."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "semantic": _checkpoint(root / "semantic.safetensors", "fast-scnn", (192, 192)),
        "instances": _checkpoint(root / "instances.safetensors", "yolact-mobilenetv2", (64, 64)),
    }


@pytest.fixture(scope="module")
def bundles(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """By task."""
    root = tmp_path_factory.mktemp("engines")
    return {task: Bundle.open(export(path, root / task)) for task, path in checkpoints.items()}


def _graph(bundle: Bundle) -> bytes:
    return bundle.file(bundle.graphs["fp32"]).read_bytes()


def test_the_file_says_what_it_is_to_who_has_not_its_bundle(bundles: dict[str, Bundle]) -> None:
    model = onnx.load_model_from_string(_graph(bundles["semantic"]))
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said.pop("version")
    assert json.loads(said.pop("classes")) == list(CLASSES)
    assert json.loads(said.pop("palette_rgb")) == [list(colour) for colour in PALETTE]
    assert json.loads(said.pop("input_size")) == [192, 192]
    assert said == {
        "producer": "edgeseg",
        "name": "semantic",
        "architecture": "fast-scnn",
        "task": "semantic",
        "colour_order": "BGR",
        "terms": "nobody's",
    }


def test_the_graph_is_lean_and_old_enough_for_every_engine(bundles: dict[str, Bundle]) -> None:
    model = onnx.load_model_from_string(_graph(bundles["semantic"]))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    first = [node for node in model.graph.node if "image" in node.input]
    assert [node.op_type for node in first] == ["Cast"]
    known = "Cast Transpose Mul Add Conv Relu Resize AveragePool GlobalAveragePool Concat MatMul"
    assert {node.op_type for node in model.graph.node} <= set(known.split())


@pytest.mark.parametrize("task", ["semantic", "instances"])
def test_the_bundle_states_how_far_its_graph_lies_off_pytorch(
    bundles: dict[str, Bundle], checkpoints: dict[str, Path], task: str
) -> None:
    bundle = bundles[task]
    stated = json.loads((bundle.path / "bundle.json").read_text())["export"]
    assert (stated["opset"], stated["torch"]) == (17, torch.__version__)
    image, golden = bundle.golden()
    _, network, _ = opened(checkpoints[task])
    expected = reference_outputs(network, image)
    assert set(stated["off_pytorch"]) == set(expected) == set(golden)
    session = onnxruntime.InferenceSession(_graph(bundle))
    for name, error in stated["off_pytorch"].items():
        (answer,) = session.run([name], {"image": image[None]})
        off = np.abs(np.asarray(answer) - expected[name])
        assert error["largest"] == pytest.approx(off.max(), rel=1e-4, abs=1e-7)
        assert error["rms"] == pytest.approx(np.sqrt((off**2).mean()) / expected[name].std(), rel=1e-3, abs=1e-7)
        assert error["rms"] < 0.01


def test_weights_that_halves_can_not_hold_stay_whole(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    about, network, _ = opened(checkpoints["semantic"])
    with torch.no_grad():
        [weight for weight in network.parameters() if weight.ndim == 4 and weight.numel() >= FEW][-1].mul_(1e6)
    path = tmp_path / "large.safetensors"
    save_weights(path, network, about)
    bundle = Bundle.open(export(path, tmp_path / "large"))
    kinds = {weight.data_type for weight in onnx.load_model_from_string(_graph(bundle)).graph.initializer}
    assert TensorProto.FLOAT16 not in kinds
    image, golden = bundle.golden()
    expected = reference_outputs(network, image)["logits"]
    np.testing.assert_allclose(golden["logits"], expected, atol=1e-4 * np.abs(expected).max())


def test_few_weights_are_not_rounded(bundles: dict[str, Bundle]) -> None:
    """The first filters of a network see what all the others depend on."""
    weights = onnx.load_model_from_string(_graph(bundles["semantic"])).graph.initializer
    rounded = [math.prod(weight.dims) for weight in weights if weight.data_type == TensorProto.FLOAT16]
    assert rounded and min(rounded) >= FEW


def test_a_graph_that_computes_something_else_is_refused(
    bundles: dict[str, Bundle], checkpoints: dict[str, Path]
) -> None:
    bundle = bundles["semantic"]
    _, network, _ = opened(checkpoints["semantic"])
    with torch.no_grad():
        network.classifier[-1].bias[0] += 0.1  # type: ignore[index, union-attr]
    with pytest.raises(EdgesegError, match=r"logits are .* off PyTorch's on the golden frame"):
        checked_outputs(_graph(bundle), network, bundle.golden()[0])


@pytest.mark.parametrize("kind", ["uint8", "int32"])
def test_labels_are_the_argmax_of_pytorchs_upsampling(
    bundles: dict[str, Bundle], checkpoints: dict[str, Path], kind: str
) -> None:
    bundle = bundles["semantic"]
    _, network, _ = opened(checkpoints["semantic"])
    image = np.random.default_rng(1).integers(0, 256, (192, 192, 3), np.uint8)
    variant = with_labels(_graph(bundle), kind)  # type: ignore[arg-type]
    labels = answers(variant, image[None])["labels"]
    with torch.inference_mode():
        logits = network(Normalise()(torch.from_numpy(image)[None]))
        expected = F.interpolate(logits, size=(192, 192), mode="bilinear").argmax(1).numpy()
    assert (labels.dtype, labels.shape) == (np.dtype(kind), (1, 192, 192))
    assert len(np.unique(labels)) > 1
    # Weights are stored as halves.
    assert (labels == expected).mean() > 0.99
    assert check_labels(variant, _graph(bundle), image) > 0.9999


def test_labels_upsampled_in_another_convention_are_found_out(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["semantic"]
    model = onnx.load_model_from_string(with_labels(_graph(bundle)))
    last = [node for node in model.graph.node if node.op_type == "Resize"][-1]
    (mode,) = [entry for entry in last.attribute if entry.name == "coordinate_transformation_mode"]
    mode.s = b"align_corners"
    with pytest.raises(EdgesegError, match="the graph with labels agrees with the bundle's own on"):
        check_labels(model.SerializeToString(), _graph(bundle), bundle.golden()[0])


@pytest.mark.parametrize("task", ["semantic", "instances"])
def test_an_image_is_answered_alike_alone_and_among_three(bundles: dict[str, Bundle], task: str) -> None:
    bundle = bundles[task]
    variant = with_free_batch(_graph(bundle))
    images = np.random.default_rng(2).integers(0, 256, (3, bundle.height, bundle.width, 3), np.uint8)
    together = answers(variant, images)
    for place, image in enumerate(images):
        for name, alone in answers(_graph(bundle), image[None]).items():
            np.testing.assert_allclose(together[name][place], alone[0], atol=1e-4 * np.abs(alone).max())
    assert check_batch(variant, _graph(bundle), images[0]) < 1e-4


def test_a_network_that_mixes_its_images_can_have_no_batch(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["semantic"]
    model = onnx.load_model_from_string(with_free_batch(_graph(bundle)))
    model.graph.node[-1].output[0] = "unmixed"
    mean = helper.make_node("ReduceMean", ["unmixed"], ["mean"], axes=[0], keepdims=1)
    model.graph.node.extend([mean, helper.make_node("Add", ["unmixed", "mean"], ["logits"])])
    with pytest.raises(EdgesegError, match="this network can't have one"):
        check_batch(model.SerializeToString(), _graph(bundle), bundle.golden()[0])


@pytest.mark.parametrize("task", ["semantic", "instances"])
def test_every_runtime_reads_the_graph_and_its_variants(bundles: dict[str, Bundle], task: str) -> None:

    tensorrt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    graph = _graph(bundles[task])
    graphs = {"own": graph, "batch": with_free_batch(graph)}
    if task == "semantic":
        graphs |= {"uint8": with_labels(graph), "int32": with_labels(graph, "int32")}
    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    for name, content in graphs.items():
        network = builder.create_network(0)
        parser = tensorrt.OnnxParser(network, logger)
        refused = [] if parser.parse(content) else [parser.get_error(at).desc() for at in range(parser.num_errors)]
        assert not refused, name
        assert len(openvino.Core().read_model(content).inputs) == 1


def test_another_input_size_is_computed_and_drops_what_was_measured(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    for task, size in (("semantic", (384, 192)), ("semantic", (96, 64)), ("instances", (96, 96))):
        bundle = Bundle.open(export(checkpoints[task], tmp_path / f"{task}-{size[0]}", size=size))
        assert (bundle.width, bundle.height, bundle.metrics) == (*size, ())
        _, network, _ = opened(checkpoints[task], size)
        assert not isinstance(network, Yolact) or network.size == 96
        image, golden = bundle.golden()
        for name, expected in reference_outputs(network, image).items():
            assert golden[name].shape == expected.shape
    assert Bundle.open(export(checkpoints["semantic"], tmp_path / "same", size=(192, 192))).metrics == (MEASURED,)


@pytest.mark.parametrize(
    ("task", "size", "said"),
    [
        ("semantic", (96, 60), "fast-scnn takes multiples of 32"),
        ("semantic", (0, 64), "sides are 32 to 4096 pixels"),
        ("semantic", (8192, 64), "sides are 32 to 4096 pixels"),
        ("instances", (96, 64), "yolact-mobilenetv2 sees squares: give one number twice"),
    ],
)
def test_a_size_that_the_network_can_not_have_is_refused(
    checkpoints: dict[str, Path], tmp_path: Path, task: str, size: tuple[int, int], said: str
) -> None:
    with pytest.raises(UsageError, match=f"--input-size {size[0]} {size[1]}: {said}"):
        export(checkpoints[task], tmp_path / "out", size=size)
    assert not (tmp_path / "out").exists()
