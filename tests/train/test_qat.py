"""Quantization-aware fine-tuning rounds as the INT8 graph does, heals what calibration breaks, and leaves a plain checkpoint."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from edgeseg.core.bundle import Bundle
from edgeseg.core.classes import STREET_CLASSES, STREET_PALETTE
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.samples import open_samples
from edgeseg.deploy import qdq
from edgeseg.deploy import ranges as int8_ranges
from edgeseg.deploy.graph import plain, read_graph
from edgeseg.deploy.ranges import METHODS, collect
from edgeseg.models import INSTANCE_MODELS, MODELS, build_model
from edgeseg.models.layers import SegmentationNetwork
from edgeseg.models.yolact import Yolact
from edgeseg.synthetic import Street
from edgeseg.train import loop
from edgeseg.train.checkpoint import About, read_about, read_tensors, save_weights
from edgeseg.train.export import answers, export, reference_outputs
from edgeseg.train.feed import Batch
from edgeseg.train.graph import Deployed, DeployedInstances, to_onnx
from edgeseg.train.loop import train
from edgeseg.train.peers import Peers
from edgeseg.train.qat import Rounding, rounded, rounded_weight
from edgeseg.train.recipe import Recipe, View
from edgeseg.train.semantic import Semantic
from tests.train.conftest import Recipes

SIDE = 64
HERE = Peers(0, 1, torch.device("cpu"))


def _lived_in(model: str) -> SegmentationNetwork | Yolact:
    """A network whose batch norms are not those of a new one."""
    torch.manual_seed(5)
    network = build_model(model, len(STREET_CLASSES), **({"size": SIDE} if model in INSTANCE_MODELS else {}))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.running_var, *layer.parameters()):
                assert tensor is not None
                tensor.data.uniform_(0.5, 1.5)
    return network.eval()


def _about(model: str) -> About:
    return About(model, STREET_CLASSES, STREET_PALETTE, (SIDE, SIDE), "none", {})


def _off(values: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Root mean square error as a share of the deviation."""
    return float(np.sqrt(np.square(values - right).mean()) / right.std())


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    street = Street(4, SIDE, SIDE)
    return np.stack([street.render(index).image for index in (0, 60)])


@pytest.mark.parametrize("model", MODELS)
def test_a_network_in_training_answers_as_its_int8_graph_does(model: str, images: NDArray[np.uint8]) -> None:
    network = _lived_in(model)
    deployed = DeployedInstances(network) if isinstance(network, Yolact) else Deployed(network)
    rounding = Rounding(network)
    # Each tensor's range is its own, so that none can be taken for another's; and small: where two round the same value, one
    # rounds it up and one down for the last bit, but both clip the same ones.
    rounding.ranges.copy_(torch.linspace(0.3, 1.2, len(rounding.ranges)))
    rounding.apply_to(network)
    graph = plain(onnx.load_model_from_string(to_onnx(deployed, _about(model), "test")))
    in_int8 = qdq.quantise(graph, int8_ranges.trained(rounding.told(), graph, qdq.layers(graph)), qdq.layers(graph))
    said, unrounded = (answers(each.SerializeToString(), images[:1]) for each in (in_int8, graph))
    for name, values in reference_outputs(network, images[0]).items():
        assert _off(values, said[name]) < 0.1 * _off(unrounded[name], said[name]), name


def test_what_int8_can_tell_stays_as_it_is() -> None:
    steps = torch.arange(-127, 128, dtype=torch.float32) * 0.5
    torch.testing.assert_close(rounded(steps, torch.tensor(63.5)), steps, rtol=0, atol=0)
    weight = torch.stack([steps, 0.01 * steps]).view(2, -1, 1, 1)
    torch.testing.assert_close(rounded_weight(weight), weight)
    between = rounded(torch.tensor([0.6, 0.9, 100.0, -100.0]), torch.tensor(63.5))
    torch.testing.assert_close(between, torch.tensor([0.5, 1.0, 63.5, -64.0]))


def test_the_gradient_passes_rounding_and_ends_where_values_are_clipped() -> None:
    x = torch.tensor([0.3, -1.7, 9.0], requires_grad=True)
    rounded(x, torch.tensor(2.0)).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0, 0.0]


@pytest.fixture(scope="module")
def learnt(small_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """The recipe of a run that is done, whose network knows a little of the street."""
    still = View(input_size=(96, 64), crop=(96, 64), scale=(1.0, 1.0), aspect=1.0, colour=0.0)
    out = tmp_path_factory.mktemp("learnt")
    done = dataclasses.replace(small_recipe, out=out, view=still, epochs=10, optimiser="adamw", lr=0.003, auxiliary=0.0)
    train(done)
    return done


@pytest.fixture(scope="module")
def planted(learnt: Recipe) -> Path:
    """Its checkpoint, but every fourth channel of two layers is 1,000 times as large, and what reads them undoes that.

    A range that holds those leaves nothing of the others; one that clips them loses a quarter of what the network knows.
    """
    path = learnt.out / "model.safetensors"
    network = build_model("fast-scnn", len(STREET_CLASSES))
    own = network.state_dict() | read_tensors(path)
    for norm, reader in (("downsample.0.1", "downsample.1.0.0"), ("classifier.0.1.1", "classifier.1.0.0")):
        for part in ("weight", "bias"):
            own[f"{norm}.{part}"][::4] *= 1000
        own[f"{reader}.weight"][::4] /= 1000
    network.load_state_dict(own)
    save_weights(learnt.out / "planted.safetensors", network, read_about(path))
    return learnt.out / "planted.safetensors"


def _loss(graph: onnx.ModelProto, data: list[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Mean cross-entropy a pixel."""
    logits = [torch.from_numpy(answers(graph.SerializeToString(), image[None])["logits"]) for image, _ in data]
    labels = torch.from_numpy(np.stack([labels for _, labels in data])).long()
    upsampled = nn.functional.interpolate(torch.cat(logits), size=labels.shape[1:], mode="bilinear")
    return float(nn.functional.cross_entropy(upsampled, labels, ignore_index=255))


def test_an_outlier_that_calibration_can_not_hold_is_held(learnt: Recipe, planted: Path, tmp_path: Path) -> None:
    changes = {"out": tmp_path / "run", "start": planted, "qat": True, "epochs": 2, "lr": 1e-3}
    trained = train(dataclasses.replace(learnt, **changes))
    before, after = (Bundle.open(export(each, tmp_path / each.stem)) for each in (planted, trained))
    samples = open_samples(learnt.data[0], "train")
    size = (before.width, before.height)
    data = [
        (cv2.resize(samples[i][1], size), cv2.resize(samples[i][2], size, interpolation=cv2.INTER_NEAREST))
        for i in (0, 3)
    ]
    graph = read_graph(before)
    layers = qdq.layers(graph)
    seen = collect(
        graph, qdq.inputs_of(graph, layers).values(), (np.asarray(image, np.uint8) for image, _ in data), lambda: None
    )
    ranges = [{tensor: choose(held) for tensor, held in seen.items()} for choose in METHODS.values()]
    calibrated = min(_loss(qdq.quantise(graph, each, layers), data) for each in ranges)
    tuned = read_graph(after)
    in_int8 = qdq.quantise(
        tuned, int8_ranges.trained(after.training["int8_ranges"], tuned, qdq.layers(tuned)), qdq.layers(tuned)
    )
    sound = _loss(graph, data)
    assert calibrated > sound + 0.1
    assert _loss(in_int8, data) < sound


def test_its_loss_falls_and_its_checkpoint_is_a_plain_one(learnt: Recipe, tmp_path: Path) -> None:
    start = learnt.out / "model.safetensors"
    trained = train(dataclasses.replace(learnt, out=tmp_path / "run", start=start, qat=True, epochs=3))
    rows = (trained.parent / "log.csv").read_text(encoding="utf-8").splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert losses[-1] < 0.95 * losses[0]
    assert {name: value.shape for name, value in read_tensors(trained).items()} == {
        name: value.shape for name, value in read_tensors(start).items()
    }
    # Export refuses a graph that does not compute what PyTorch computes of the checkpoint.
    assert Bundle.open(export(trained, tmp_path / "bundle")).training["qat"] is True


@pytest.mark.parametrize("model", MODELS)
def test_every_network_is_fine_tuned_with_the_statistics_that_it_came_with(
    recipe: Recipes, tmp_path: Path, model: str
) -> None:
    save_weights(tmp_path / "start.safetensors", _lived_in(model), _about(model))
    begun = read_tensors(tmp_path / "start.safetensors")
    changes = {}
    if model in INSTANCE_MODELS:
        changes = {"data": ("street:frames=2,seed=3",), "view": View(input_size=(SIDE, SIDE))}
    run = loop._Run(recipe(model=model, batch=2, start=tmp_path / "start.safetensors", qat=True, **changes), HERE)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    run._step(next(iter(run.task.feed.batches(0))))
    after = run.network.state_dict()
    weights = [name for name in before if before[name].ndim == 4]
    assert sum(not torch.equal(before[name], after[name]) for name in weights) > 0.9 * len(weights)
    same_classes = [name for name in before if "running" in name and begun[name].shape == after[name].shape]
    assert all(torch.equal(after[name], begun[name]) for name in same_classes)


def test_what_is_measured_is_the_rounded_network(
    recipe: Recipes, planted: Path, street_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def measure(_task: Semantic, network: nn.Module) -> tuple[float, dict[str, float]]:
        image = torch.linspace(-2, 2, 3 * 64 * 64).view(1, 3, 64, 64)
        bare = build_model("fast-scnn", len(STREET_CLASSES))
        bare.load_state_dict(network.state_dict())
        with torch.inference_mode():
            seen.append(float((bare.eval()(image) - network.eval()(image)).abs().max()))
        return 0.5, {}

    monkeypatch.setattr(Semantic, "measure", measure)
    best = train(recipe(epochs=1, start=planted, qat=True, val=f"camvid:{street_folder}"))
    assert seen[0] > 1e-4
    assert read_about(best).metrics[0]["precision"] == "int8"


def test_a_resumed_run_ends_in_the_very_weights_of_an_uninterrupted_one(
    recipe: Recipes, planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = (recipe(start=planted, qat=True, out=tmp_path / name) for name in ("whole", "broken"))
    train(whole)
    step, steps = loop._Run._step, iter(range(100))

    def power_cut(run: loop._Run, batch: Batch) -> float:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return step(run, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop._Run, "_step", power_cut)
        train(broken)
    train(recipe(start=planted, qat=True, out=tmp_path / "broken", resume=True))
    for file in ("model.safetensors", "state.safetensors"):
        resumed = read_tensors(tmp_path / "broken" / file)
        for name, value in read_tensors(tmp_path / "whole" / file).items():
            torch.testing.assert_close(resumed[name], value, rtol=0, atol=0, msg=name)
    with pytest.raises(EdgesegError, match=r"this run was begun with --qat: --resume it as it was begun"):
        train(recipe(start=planted, out=tmp_path / "broken", resume=True))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"qat": True}, "--qat goes on from a network that is trained: give --start NAME"),
        ({"qat": True, "start": Path("a.safetensors"), "mixed": True}, "leave --mixed out"),
    ],
)
def test_nonsense_is_refused_in_one_line(recipe: Recipes, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        recipe(**changes)


def test_unless_said_the_rate_is_that_of_fine_tuning(recipe: Recipes) -> None:
    assert recipe(lr=None).highest_lr == 0.05
    assert recipe(lr=None, qat=True, start=Path("a")).told()["lr"] == 0.001
    assert recipe(lr=0.0, qat=True, start=Path("a")).highest_lr == 0.0
