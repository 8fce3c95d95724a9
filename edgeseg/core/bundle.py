"""A bundle: the folder that a model is once trained, and everything that inference must agree on with training.

    <name>/  bundle.json   model.<precision>.onnx   golden.npz

`bundle.json` is untrusted input: no path in it may leave the folder, and no file is used whose sha256 differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import BundleError
from edgeseg.core.golden_frame import unpack
from edgeseg.core.provenance import trained_on

FORMAT = 1
MANIFEST = "bundle.json"
GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Bundle:
    """What `bundle.json` says, checked.

    path: the folder. name: the folder's name for the user. task: "semantic" or "instances".
    architecture: the network, a key of `edgeseg.models.MODELS`.
    width, height: the graph's input in pixels (uint8 [1, height, width, 3], BGR). fit: how an image gets that size
    ("stretch": both sides are scaled, nothing is cut off). stride: input pixels a logit, or a prototype's pixel.
    classes: names by id. palette: RGB by id. ignore_id: the label that is never judged.
    graphs: precision -> file name. files: file name -> sha256.
    metrics: what was measured, each with data set, split, engine, precision. training: data, recipe, seed.
    terms: under which terms the training data may be used. quantization: precision -> how its graph was made: source, the
    sha256 of the FP32 graph that it was made from, what it was calibrated with, the layers left in higher precision.
    """

    path: Path
    name: str
    task: str
    architecture: str
    width: int
    height: int
    fit: str
    stride: int
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    ignore_id: int
    graphs: dict[str, str]
    files: dict[str, str]
    metrics: tuple[dict[str, Any], ...]
    training: dict[str, Any]
    terms: str
    quantization: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """Reads and checks a bundle. Raises BundleError, which names the file and what is wrong with it."""
        folder = Path(path)
        manifest = _read_manifest(folder)
        try:
            bundle = _from_manifest(folder, manifest)
        except (KeyError, TypeError, ValueError) as error:
            said = f"no field {error}" if isinstance(error, KeyError) else str(error)
            raise BundleError(f"{folder / MANIFEST}: {said}; export the bundle anew with `edgeseg export`") from error
        bundle._check_shape()
        for name in bundle.files:
            bundle.file(name)
        return bundle

    def trained_on(self, address: str, split: str) -> bool:
        """Returns whether these labelled images are among those that it was trained on; see `provenance.trained_on`."""
        return trained_on(self.training, address, split)

    def file(self, name: str) -> Path:
        """Returns the path of a file of this bundle once its sha256 was compared. Raises BundleError."""
        expected = self.files.get(name)
        if expected is None:
            raise BundleError(f"{self.path}: {name!r} is not listed under files in {MANIFEST}; export the bundle anew")
        if Path(name).name != name or name in {"", ".", ".."} or "\\" in name:
            raise BundleError(f"{self.path / MANIFEST}: the file {name!r} leaves the bundle; do not use this bundle")
        path = self.path / name
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{self.path}: the file {name} is missing; fetch or export the bundle anew")
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
        if actual != expected:
            raise BundleError(
                f"{path}: sha256 is {actual[:12]}..., {MANIFEST} says {expected[:12]}...: "
                "the file was altered or is incomplete; fetch or export the bundle anew"
            )
        return path

    def graph(self, precision: str) -> Path:
        """Returns the path of a graph, checked as by `file`, and so is the FP32 graph that it was made from.

        Raises BundleError for one that is not there, or was made from another FP32 graph than the bundle now has.
        """
        if precision not in self.graphs:
            raise BundleError(f"{self.path} has no {precision} graph, only {', '.join(self.graphs)}")
        source = self.quantization.get(precision, {}).get("source")
        if source is not None and source != self.files.get(self.graphs.get("fp32", "")):
            raise BundleError(
                f"{self.path / self.graphs[precision]} was made from another {self.graphs.get('fp32')} than the bundle "
                f"has now: make it anew with `edgeseg quantize {self.path}`"
            )
        if source is not None:
            self.file(self.graphs["fp32"])  # out of which the graph reads its weights
        return self.file(self.graphs[precision])

    def golden(self) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.float32]]]:
        """Returns the golden image, uint8 [height, width, 3] BGR, and what the FP32 graph answers to it, by output name, with
        NaN for what the file leaves out of the large ones."""
        path = self.file(GOLDEN)
        try:
            image, outputs = unpack(path)
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise BundleError(f"{path}: not a golden frame ({error}); export the bundle anew") from error
        if image.shape != (self.height, self.width, 3) or not outputs:
            raise BundleError(f"{path}: holds no uint8 image of {self.width}x{self.height}; export the bundle anew")
        return image, outputs

    def _check_shape(self) -> None:
        manifest = self.path / MANIFEST
        if self.task not in {"semantic", "instances"}:
            raise BundleError(
                f"{manifest}: task is {self.task!r}, not semantic or instances; a newer edgeseg may read it"
            )
        if self.fit != "stretch":
            raise BundleError(f"{manifest}: fit is {self.fit!r}, and this edgeseg knows only stretch; upgrade edgeseg")
        if not self.classes or len(self.classes) > 255 or len(self.palette) != len(self.classes):
            raise BundleError(
                f"{manifest}: {len(self.classes)} classes and {len(self.palette)} colours; export it anew"
            )
        # Prototypes of instances may end with a part of a cell; a label map's cells are whole.
        uneven = self.task == "semantic" and (self.width % self.stride or self.height % self.stride)
        if min(self.width, self.height, self.stride) < 1 or uneven:
            raise BundleError(
                f"{manifest}: a size of {self.width}x{self.height} at stride {self.stride} can't be; export the bundle anew"
            )
        if not self.graphs or any(name not in self.files for name in (*self.graphs.values(), GOLDEN)):
            raise BundleError(f"{manifest}: a graph or {GOLDEN} is not listed under files; export the bundle anew")


def write_bundle(folder: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> Bundle:
    """Writes a bundle whole or not at all: into a neighbouring folder first, then by a rename.

    folder: where it is to stand; an earlier bundle there is replaced, anything else is left alone (BundleError).
    manifest: the fields of `Bundle` but path and files. files: name -> bytes.
    """
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder} exists and is not a bundle: choose another --out, or remove it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise BundleError(f"{folder} can't be written ({error.strerror}): choose another --out") from error
    try:
        _fill(draft, manifest, files)
        _put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Bundle.open(folder)


def amend_bundle(bundle: Bundle, files: dict[str, bytes], **changes: Any) -> Bundle:
    """Adds files to a bundle, or replaces them, whole or not at all; what else lies in its folder stays.

    files: name -> bytes. changes: fields of the manifest. Raises BundleError where it can't be written.
    """
    manifest = {**_read_manifest(bundle.path), **changes}
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{bundle.path.name}-", dir=bundle.path.parent))
        try:
            shutil.copytree(bundle.path, draft, dirs_exist_ok=True)
            listed = {name: bundle.file(name).read_bytes() for name in bundle.files}
            _fill(draft, manifest, {**listed, **files})
            _put_in_place(draft, bundle.path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise BundleError(f"{bundle.path} can't be written ({error.strerror}): free the disk, or copy it") from error
    return Bundle.open(bundle.path)


def _fill(draft: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (draft / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    about = {key: value for key, value in manifest.items() if key not in {"format", "files"}}
    document = {"format": FORMAT, **about, "files": sums}
    (draft / MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    Bundle.open(draft)
    draft.chmod(0o755)


def _put_in_place(draft: Path, folder: Path) -> None:
    """Renames `draft` to `folder`; what stood there goes aside first, and comes back where that fails."""
    if not folder.exists():
        draft.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)) / folder.name
    try:
        folder.rename(aside)
        try:
            draft.rename(folder)
        except OSError:
            aside.rename(folder)
            raise
    finally:
        shutil.rmtree(aside.parent, ignore_errors=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is not a bundle: it has no {MANIFEST}; name a folder written by `edgeseg export`"
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} can't be read ({error}); export the bundle anew") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(
            f"{path}: not of format {FORMAT}, the one this edgeseg reads; upgrade edgeseg or export it anew"
        )
    return manifest


def _from_manifest(folder: Path, manifest: dict[str, Any]) -> Bundle:
    size = manifest["input"]
    return Bundle(
        path=folder,
        name=str(manifest["name"]),
        task=str(manifest["task"]),
        architecture=str(manifest["architecture"]),
        width=int(size["width"]),
        height=int(size["height"]),
        fit=str(size["fit"]),
        stride=int(manifest["stride"]),
        classes=tuple(str(name) for name in manifest["classes"]),
        palette=tuple((int(r), int(g), int(b)) for r, g, b in manifest["palette"]),
        ignore_id=int(manifest["ignore_id"]),
        graphs={str(k): str(v) for k, v in manifest["graphs"].items()},
        files={str(k): str(v) for k, v in manifest["files"].items()},
        metrics=tuple(dict(row) for row in manifest["metrics"]),
        training=dict(manifest["training"]),
        terms=str(manifest["terms"]),
        quantization={str(k): dict(v) for k, v in manifest.get("quantization", {}).items()},
    )
