"""Training begins from what is given: a checkpoint, or the folded weights of a deployed bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.models import build_model
from edgeseg.models.layers import SegmentationNetwork
from edgeseg.train.checkpoint import About, save_weights
from edgeseg.train.export import export
from edgeseg.train.normalise import Normalise
from edgeseg.train.start import begin_from, begin_from_backbone, terms_with_start

CLASSES = ("floor", "wall", "thing")


def _lived_in(model: str, classes: int) -> SegmentationNetwork:
    """A network whose batch norms are not those of a new one."""
    torch.manual_seed(5)
    network = build_model(model, classes)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.running_mean, layer.running_var, *layer.parameters()):
                assert tensor is not None
                tensor.data.uniform_(0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), np.uint8))


@pytest.fixture(scope="module", params=["fast-scnn", "bisenet-mobilenetv2", "bisenetv2"])
def deployed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """The network's key, its checkpoint and its bundle."""
    folder = tmp_path_factory.mktemp("start")
    network = _lived_in(request.param, len(CLASSES))
    about = About(request.param, CLASSES, ((0, 0, 0), (90, 90, 90), (200, 0, 0)), (192, 192), "none", {})
    save_weights(folder / "model.safetensors", network, about)
    return request.param, folder / "model.safetensors", export(folder / "model.safetensors", folder / "bundle")


def test_a_bundle_begins_what_it_was_deployed_from(deployed: tuple[str, Path, Path], images: torch.Tensor) -> None:
    model, _, bundle = deployed
    begun = build_model(model, len(CLASSES))
    begin_from(bundle, begun, model, images)
    expected = _lived_in(model, len(CLASSES))
    with torch.inference_mode():
        seen = Normalise()(images)
        wanted = expected(seen)
        error = (begun.eval()(seen) - wanted).abs().max() / wanted.abs().max()
    # The bundle stores its weights as halves.
    assert error < 0.02


def test_it_can_be_trained_on_from_there(deployed: tuple[str, Path, Path], images: torch.Tensor) -> None:
    model, _, bundle = deployed
    begun = build_model(model, len(CLASSES))
    begin_from(bundle, begun, model, images)
    torch.manual_seed(0)
    norms = [layer for layer in begun.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(torch.isfinite(norm.weight).all() for norm in norms if norm.affine)
    begun.train()(Normalise()(images)).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in begun.parameters() if p.grad is not None)


@pytest.mark.parametrize("form", [0, 1])
def test_other_classes_begin_with_a_new_classifier_alone(
    deployed: tuple[str, Path, Path], images: torch.Tensor, form: int
) -> None:
    model, *forms = deployed[0], deployed[1], deployed[2]
    begun = build_model(model, 7)
    begin_from(forms[form], begun, model, images)
    own = dict(_lived_in(model, len(CLASSES)).named_parameters())
    first = next(name for name, value in begun.named_parameters() if value.ndim == 4)
    ratio = dict(begun.named_parameters())[first] / own[first]
    # A folded kernel is its own scaled a channel.
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1].expand_as(ratio), rtol=0.02, atol=0.02)
    assert begun(Normalise()(images)).shape[1] == 7


def test_another_network_is_refused(deployed: tuple[str, Path, Path], images: torch.Tensor) -> None:
    model, checkpoint, bundle = deployed
    other = "fast-scnn" if model != "fast-scnn" else "bisenetv2"
    with pytest.raises(UsageError, match=f"bundle is a {model}, and {other} is to be trained"):
        begin_from(bundle, build_model(other, 3), other, images)
    with pytest.raises(EdgesegError, match="holds another network than the one to train"):
        begin_from(checkpoint, build_model(other, 3), other, images)


def test_a_network_without_mobilenet_takes_no_backbone(images: torch.Tensor) -> None:
    with pytest.raises(UsageError, match="fast-scnn has no MobileNetV2 in it"):
        begin_from_backbone(Path("weights.pt"), build_model("fast-scnn", 3), "fast-scnn", images)


def _checkpoint_of(terms: str, folder: Path) -> Path:
    about = About("fast-scnn", CLASSES, ((0, 0, 0), (90, 90, 90), (200, 0, 0)), (192, 192), terms, {})
    save_weights(folder / "model.safetensors", nn.Conv2d(1, 1, 1), about)
    return folder / "model.safetensors"


def test_terms_go_from_start_to_start_and_none_is_told_twice(tmp_path: Path) -> None:
    torch.save({"51.weight": torch.zeros(1280, 320, 1, 1)}, tmp_path / "mobilenetv2.pt")
    first = terms_with_start("Rooms: CC BY 4.0; images under their own licences", None, tmp_path / "mobilenetv2.pt")
    rooms = "Rooms: CC BY 4.0; images under their own licences"
    assert first == f"{rooms}; begun from weights trained on ImageNet (MobileNetV2, Apache-2.0)"
    start = _checkpoint_of(first, tmp_path)
    assert terms_with_start("Streets: free", start, None) == f"Streets: free; begun from weights trained on {first}"
    assert terms_with_start("Rooms: CC BY 4.0; images under their own licences", start, None) == first
    assert terms_with_start("Streets: free", None, None) == "Streets: free"


def test_a_backbone_that_has_seen_coco_says_so(tmp_path: Path) -> None:
    torch.save({"51.weight": torch.zeros(256, 320, 1, 1)}, tmp_path / "deeplab.pt")
    terms = terms_with_start("Streets: free", None, tmp_path / "deeplab.pt")
    assert terms.startswith(
        "Streets: free; begun from weights trained on COCO 2014 trainval without minival and Pascal"
    )


def test_what_the_teacher_was_trained_on_is_told(tmp_path: Path) -> None:
    teacher = _checkpoint_of("Rooms: CC BY 4.0", tmp_path)
    taught = terms_with_start("Streets: free", None, None, teacher)
    assert taught == "Streets: free; taught by a model trained on Rooms: CC BY 4.0"
    assert terms_with_start("Rooms: CC BY 4.0", None, None, teacher) == "Rooms: CC BY 4.0"


def test_a_bundle_to_begin_from_has_terms_too(deployed: tuple[str, Path, Path]) -> None:
    assert terms_with_start("Streets: free", deployed[2], None) == "Streets: free; begun from weights trained on none"


def test_weights_of_another_program_have_terms_that_nobody_knows(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, tmp_path / "found.safetensors")
    terms = terms_with_start("Streets: free", tmp_path / "found.safetensors", None)
    assert terms == "Streets: free; begun from weights trained on data of unknown terms (found.safetensors)"
