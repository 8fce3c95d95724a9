"""A bundle is amended whole or not at all, and what else lies in its folder stays."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from edgeseg.core.bundle import Bundle, amend_bundle
from edgeseg.core.errors import BundleError
from tests.conftest import FullDisk


@pytest.fixture
def bundle(bundle_folder: Path, tmp_path: Path) -> Bundle:
    folder = Path(shutil.copytree(bundle_folder, tmp_path / "shelf" / "nearest-colour"))
    (folder / "trt").mkdir()
    (folder / "trt" / "int8.engine").write_bytes(b"built here")
    return Bundle.open(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_and_fields_are_added_and_the_rest_stays(bundle: Bundle) -> None:
    before = contents(bundle.path)
    amended = amend_bundle(bundle, {"more.bin": b"more"}, quantization={"int8": {"source": "x"}})
    assert amended.file("more.bin").read_bytes() == b"more"
    assert amended.quantization == {"int8": {"source": "x"}}
    assert (amended.classes, amended.graphs) == (bundle.classes, bundle.graphs)
    after = contents(bundle.path)
    assert {name: after[name] for name in before if name != "bundle.json"} == {
        name: content for name, content in before.items() if name != "bundle.json"
    }
    assert list(bundle.path.parent.iterdir()) == [bundle.path]


def test_a_full_disk_leaves_it_as_it_was(bundle: Bundle, full_disk: FullDisk) -> None:
    before = contents(bundle.path)
    with full_disk(1 << 16), pytest.raises(BundleError, match="can't be written"):
        amend_bundle(bundle, {"more.bin": bytes(1 << 18)})
    assert contents(bundle.path) == before
    assert list(bundle.path.parent.iterdir()) == [bundle.path]


def test_it_comes_back_where_the_new_one_can_not_take_its_place(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rename = contents(bundle.path), Path.rename

    def failing(self: Path, target: Path) -> Path:
        if Path(target) == bundle.path and self.name.startswith("."):
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(BundleError, match="Input/output error"):
        amend_bundle(bundle, {"more.bin": b"more"})
    assert contents(bundle.path) == before
