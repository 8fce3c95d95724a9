"""From labelled images to a bundle: training keeps what is sound, and exports what it trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from edgeseg.core.bundle import Bundle
from edgeseg.core.classes import STREET_CLASSES
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.models import build_model
from edgeseg.synthetic import Street
from edgeseg.train import semantic
from edgeseg.train.checkpoint import load_weights, read_about, save_weights
from edgeseg.train.export import export
from edgeseg.train.loop import train
from edgeseg.train.normalise import Normalise
from edgeseg.train.recipe import Recipe, View

SIZE = (192, 192)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of the rendered street in CamVid's layout."""
    root = tmp_path_factory.mktemp("camvid")
    street = Street(21, 240, 160, 30.0)
    for split in ("train", "val"):
        (root / split).mkdir()
        (root / f"{split}annot").mkdir()
    for index in range(8):
        view = street.render(index * 50)
        split = "train" if index < 6 else "val"
        cv2.imwrite(str(root / split / f"{index}.png"), view.image)
        cv2.imwrite(str(root / f"{split}annot" / f"{index}.png"), view.labels)
    return root


def _recipe(data: Path, out: Path, **changes: object) -> Recipe:
    view = View(input_size=SIZE, crop=(128, 96))
    recipe = Recipe("fast-scnn", (f"camvid:{data}",), out, epochs=2, batch=2, lr=0.02, view=view, device="cpu")
    return dataclasses.replace(recipe, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of two epochs, measured on val."""
    return train(_recipe(data, tmp_path_factory.mktemp("run"), val=f"camvid:{data}"))


@pytest.fixture(scope="module")
def bundle(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle of that checkpoint."""
    metrics = [{"data": "street", "split": "held out", "miou": 0.5}]
    return Bundle.open(export(trained, tmp_path_factory.mktemp("engines") / "tiny", metrics=metrics))


def _weights(path: Path) -> dict[str, torch.Tensor]:
    network = build_model("fast-scnn", len(STREET_CLASSES))
    load_weights(path, network)
    return network.state_dict()


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(data, tmp_path / "run", epochs=1)
    before = train(recipe).read_bytes()
    monkeypatch.setattr(semantic, "segmentation_loss", lambda logits, *_: logits.sum() * torch.nan)
    with pytest.raises(EdgesegError, match=r"the loss is nan in epoch 2, step 1.*checkpoint of epoch 1 is kept"):
        train(dataclasses.replace(recipe, epochs=2, resume=True))
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


def test_a_step_with_an_infinite_gradient_leaves_the_weights_sound(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = semantic.segmentation_loss

    def overflowing(logits: torch.Tensor, *others: Any) -> torch.Tensor:
        logits.register_hook(lambda gradient: gradient * torch.inf)
        return sound(logits, *others)

    monkeypatch.setattr(semantic, "segmentation_loss", overflowing)
    weights = _weights(train(_recipe(data, tmp_path / "run", epochs=1)))
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert "3 of 3 steps left out" in capsys.readouterr().err


def test_a_run_is_not_overwritten_by_accident(data: Path, trained: Path) -> None:
    with pytest.raises(UsageError, match="give --resume, or another --out"):
        train(_recipe(data, trained.parent))


def test_a_run_begins_from_the_weights_that_it_is_given(data: Path, trained: Path, tmp_path: Path) -> None:
    begun = _weights(train(_recipe(data, tmp_path / "run", epochs=1, lr=0.0, start=trained)))
    torch.testing.assert_close(begun["fuse.deep.0.weight"], _weights(trained)["fuse.deep.0.weight"])


def test_the_checkpoint_says_what_it_is(trained: Path) -> None:
    about = read_about(trained)
    assert (about.model, about.input_size, about.classes) == ("fast-scnn", SIZE, STREET_CLASSES)
    assert "non-commercial" in about.terms
    assert about.training["epochs_done"] == 2
    assert 0 < about.metrics[0]["miou"] < 1


def test_a_checkpoint_tells_the_terms_of_what_it_began_from(data: Path, trained: Path, tmp_path: Path) -> None:
    network = build_model("fast-scnn", len(STREET_CLASSES))
    load_weights(trained, network)
    before = dataclasses.replace(read_about(trained), terms="Roads: ask its owner")
    save_weights(tmp_path / "before.safetensors", network, before)
    begun = train(_recipe(data, tmp_path / "run", epochs=1, lr=0.0, start=tmp_path / "before.safetensors"))
    own = read_about(trained).terms
    assert read_about(begun).terms == f"{own}; begun from weights trained on Roads: ask its owner"


def test_no_auxiliary_head_is_in_the_checkpoint(trained: Path) -> None:
    assert not [name for name in _weights(trained) if "head" in name]


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("pickle")
    with pytest.raises(EdgesegError, match=r"model\.safetensors: no checkpoint that can be read"):
        export(tmp_path / "model.safetensors", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_bundle_carries_what_inference_must_agree_on(bundle: Bundle) -> None:
    assert (bundle.width, bundle.height, bundle.stride, bundle.fit) == (*SIZE, 8, "stretch")
    assert (bundle.name, bundle.architecture, bundle.classes) == ("tiny", "fast-scnn", STREET_CLASSES)
    assert "non-commercial" in bundle.terms
    assert [row["data"].partition(":")[0] for row in bundle.metrics] == ["camvid", "street"]
    assert bundle.training["seed"] == 0


def test_the_graph_computes_what_the_network_does(bundle: Bundle, trained: Path) -> None:
    network = build_model("fast-scnn", len(STREET_CLASSES)).eval()
    load_weights(trained, network)
    session = onnxruntime.InferenceSession(str(bundle.file("model.fp32.onnx")), providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).integers(0, 256, (1, SIZE[1], SIZE[0], 3), np.uint8)
    golden, expected = bundle.golden()
    with torch.inference_mode():
        for pixels in (image, golden[None]):
            answer = session.run(None, {"image": pixels})[0]
            assert isinstance(answer, np.ndarray)
            reference = network(Normalise()(torch.from_numpy(pixels))).numpy()
            # The graph stores its weights in FP16.
            np.testing.assert_allclose(answer, reference, atol=2e-3 * np.abs(reference).max())
    # And the golden frame its answers.
    np.testing.assert_allclose(answer, expected["logits"], rtol=1e-3, atol=1e-5)


def test_normalisation_turns_bgr_into_the_networks_rgb() -> None:
    red = torch.zeros(1, 1, 1, 3, dtype=torch.uint8)
    red[..., 2] = 255
    rgb = Normalise()(red).flatten()
    torch.testing.assert_close(rgb, torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]))
