"""A bundle is used only when it is whole, unaltered, and keeps to its own folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeseg.core.bundle import Bundle, write_bundle
from edgeseg.core.catalog import open_bundle
from edgeseg.core.errors import BundleError, UsageError


@pytest.fixture
def copy(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "copy"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / "bundle.json").read_text())
    change(document)
    (folder / "bundle.json").write_text(json.dumps(document))


def test_a_bundle_says_what_inference_must_know(bundle_folder: Path) -> None:
    bundle = Bundle.open(bundle_folder)
    assert (bundle.width, bundle.height, bundle.stride) == (96, 64, 8)
    assert bundle.classes == ("red", "green", "blue")
    image, outputs = bundle.golden()
    assert image.shape == (64, 96, 3)
    assert outputs["logits"].shape == (1, 3, 8, 12)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "model.fp32.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.fp32\.onnx is missing"):
        Bundle.open(copy)


def test_an_altered_file_is_named(copy: Path) -> None:
    with (copy / "model.fp32.onnx").open("ab") as graph:
        graph.write(b"\0")
    with pytest.raises(BundleError, match=r"model\.fp32\.onnx: sha256 is"):
        Bundle.open(copy)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "sub/graph.onnx", "..", r"..\secret"])
def test_a_path_that_leaves_the_bundle_is_refused(copy: Path, name: str) -> None:
    edit(copy, lambda document: document["files"].update({name: "0" * 64}))
    with pytest.raises(BundleError, match="leaves the bundle"):
        Bundle.open(copy)


def test_a_link_out_of_the_bundle_is_refused(copy: Path, tmp_path: Path) -> None:
    outside = (copy / "golden.npz").rename(tmp_path / "outside.npz")
    (copy / "golden.npz").symlink_to(outside)
    with pytest.raises(BundleError, match=r"golden\.npz is missing"):
        Bundle.open(copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("classes"), "no field 'classes'"),
        (lambda d: d.update(format=99), "not of format 1"),
        (lambda d: d.update(task="depth"), "task is 'depth'"),
        (lambda d: d["input"].update(fit="letterbox"), "fit is 'letterbox'"),
        (lambda d: d["input"].update(width=100), "100x64 at stride 8"),
        (lambda d: d["palette"].pop(), "3 classes and 2 colours"),
        (lambda d: d["graphs"].update(int8="model.int8.onnx"), "not listed under files"),
        (lambda d: d.update(stride="eight"), "invalid literal"),
    ],
)
def test_a_manifest_that_can_not_be_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit(copy, change)
    with pytest.raises(BundleError, match=said):
        Bundle.open(copy)


def test_a_folder_that_is_no_bundle_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle\.json"):
        Bundle.open(tmp_path)


def test_an_unknown_model_is_answered_with_the_nearest(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle_folder.parent.parent)
    shutil.copytree(bundle_folder, Path("engines") / "nearest-colour", dirs_exist_ok=True)
    assert open_bundle("nearest-colour").name == "nearest-colour"
    with pytest.raises(UsageError, match="did you mean nearest-colour"):
        open_bundle("nearest-color")


def test_writing_leaves_nothing_half_done(copy: Path, tmp_path: Path) -> None:
    document = json.loads((copy / "bundle.json").read_text())
    files = {name: (copy / name).read_bytes() for name in document["files"]}
    document["graphs"] = {"fp32": "another.onnx"}
    with pytest.raises(BundleError):
        write_bundle(tmp_path / "new", document, files)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["copy"]


def test_writing_replaces_a_bundle_and_spares_anything_else(copy: Path, tmp_path: Path) -> None:
    document = json.loads((copy / "bundle.json").read_text())
    files = {name: (copy / name).read_bytes() for name in document["files"]}
    assert write_bundle(copy, {**document, "name": "second"}, files).name == "second"
    precious = tmp_path / "photos"
    precious.mkdir()
    with pytest.raises(BundleError, match="is not a bundle"):
        write_bundle(precious, document, files)
    assert precious.is_dir()
