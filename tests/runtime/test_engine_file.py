"""What an engine depends on is kept beside it, and a stale, damaged or foreign one is named before TensorRT sees it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EngineError
from edgeseg.runtime import engine_file
from edgeseg.runtime.engine_file import ANY, NONE, Device, EngineFile, EngineKey, differences, find_engine, read, write

ORIN = Device("tensorrt", "10.3.0", "linux-aarch64", "Orin", "8.7")
CONTENT = b"what TensorRT serialized" * 40


@pytest.fixture
def bundle(bundle_folder: Path, tmp_path: Path) -> Bundle:
    return Bundle.open(shutil.copytree(bundle_folder, tmp_path / "nearest-colour"))


@pytest.fixture
def kept(bundle: Bundle) -> EngineFile:
    """An engine of the bundle, as `edgeseg build` keeps it on an Orin."""
    return write(bundle, EngineKey.wanted(bundle, "fp32", ORIN), CONTENT)


def test_an_engine_is_read_back_as_it_was_written(bundle: Bundle, kept: EngineFile) -> None:
    assert read(kept.path.with_suffix(".json")) == kept
    assert kept.load() == CONTENT
    assert find_engine(bundle, "fp32", ORIN).engine == kept


def test_engines_for_two_devices_lie_side_by_side_and_each_finds_its_own(bundle: Bundle, kept: EngineFile) -> None:
    thor = Device("tensorrt", "10.16.2", "linux-aarch64", "NVIDIA Thor", "11.0")
    other = write(bundle, EngineKey.wanted(bundle, "fp32", thor), CONTENT[::-1])
    assert find_engine(bundle, "fp32", thor).engine == other
    assert find_engine(bundle, "fp32", ORIN).engine == kept


def test_without_any_engine_the_reason_is_the_command_that_builds_one(bundle: Bundle) -> None:
    found = find_engine(bundle, "fp32", ORIN)
    assert found.engine is None
    assert found.reasons == (f"none was built: edgeseg build {bundle.path} --precision fp32 --builder tensorrt",)


def test_a_stale_engine_is_answered_with_each_field_both_values_and_the_command(
    bundle: Bundle, kept: EngineFile
) -> None:
    upgraded = dataclasses.replace(ORIN, builder_version="10.16.2", gpu="Orin NX")
    (reason,) = find_engine(bundle, "fp32", upgraded).reasons
    assert "builder_version is 10.3.0, here 10.16.2" in reason
    assert "gpu is Orin, here Orin NX" in reason
    assert reason.endswith(f"edgeseg build {bundle.path} --precision fp32 --builder tensorrt")


def test_an_engine_of_another_precision_is_no_answer(bundle: Bundle, kept: EngineFile) -> None:
    bundle.graphs["fp16"] = bundle.graphs["fp32"]
    assert find_engine(bundle, "fp16", ORIN).reasons[0].startswith("none was built")


def test_a_graph_exported_anew_makes_its_engines_stale(bundle: Bundle, kept: EngineFile) -> None:
    bundle.files["model.fp32.onnx"] = "0" * 64
    (reason,) = find_engine(bundle, "fp32", ORIN).reasons
    assert "graph_sha256 is" in reason and "here 000000000000..." in reason


OTHER: dict[str, Any] = {
    "builder": "tensorrt_rtx",
    "builder_version": "8.6.1",
    "platform": "linux-x86_64",
    "gpu": "NVIDIA GeForce RTX 3060",
    "compute_capability": "8.6",
    "precision": "int8",
    "graph_sha256": "f" * 64,
    "input_shape": (1, 32, 32, 3),
    "format": 0,
}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EngineKey)])
def test_every_field_of_the_key_decides(bundle: Bundle, field: str) -> None:
    wanted = EngineKey.wanted(bundle, "fp32", ORIN)
    (difference,) = differences(dataclasses.replace(wanted, **{field: OTHER[field]}), wanted, bundle)
    assert difference.field == field
    assert difference.kept != difference.here
    assert difference.command.startswith("edgeseg build ")


@pytest.mark.parametrize(
    ("capability", "fits"), [("8.0", True), ("8.6", True), ("12.0", True), ("7.5", False), (NONE, True)]
)
def test_a_portable_engine_fits_every_gpu_from_its_compute_capability_on(
    bundle: Bundle, capability: str, fits: bool
) -> None:
    desktop = Device("tensorrt_rtx", "1.7.1.116", "linux-x86_64", "NVIDIA GeForce", capability)
    key = dataclasses.replace(
        EngineKey.wanted(bundle, "fp32", desktop), platform=ANY, gpu=ANY, compute_capability="8.0+"
    )
    write(bundle, key, CONTENT)
    assert (find_engine(bundle, "fp32", desktop).engine is not None) == fits


def test_an_engine_for_this_very_gpu_is_taken_before_a_portable_one(bundle: Bundle) -> None:
    desktop = Device("tensorrt_rtx", "1.7.1.116", "linux-x86_64", "NVIDIA GeForce", "8.6")
    exact = EngineKey.wanted(bundle, "fp32", desktop)
    for capability in ("7.5+", "8.0+", "8.6+"):
        write(bundle, dataclasses.replace(exact, platform=ANY, gpu=ANY, compute_capability=capability), CONTENT)
    write(bundle, exact, CONTENT)
    found = find_engine(bundle, "fp32", desktop).engine
    assert found is not None and found.key == exact


def _cut(kept: EngineFile) -> None:
    kept.path.write_bytes(CONTENT[:-1])


def _flip(kept: EngineFile) -> None:
    kept.path.write_bytes(bytes([CONTENT[0] ^ 1]) + CONTENT[1:])


def _remove(kept: EngineFile) -> None:
    kept.path.unlink()


@pytest.mark.parametrize(("harm", "said"), [(_cut, "cut short"), (_flip, "sha256"), (_remove, "No such file")])
def test_a_damaged_engine_is_named_and_never_handed_out(
    bundle: Bundle, kept: EngineFile, harm: Callable[[EngineFile], None], said: str
) -> None:
    harm(kept)
    with pytest.raises(EngineError, match=said) as caught:
        kept.load()
    assert str(kept.path) in str(caught.value)
    found = find_engine(bundle, "fp32", ORIN)
    assert found.engine is None
    assert said in found.reasons[0]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"fp32"', "{}", "\xff\xfe", "[" * 100_000],
    ids=["empty", "cut", "list", "null", "text", "no fields", "not UTF-8", "deep"],
)
def test_what_is_not_the_json_of_an_engine_is_named(bundle: Bundle, kept: EngineFile, text: str) -> None:
    path = kept.path.with_suffix(".json")
    path.write_text(text, encoding="latin-1")
    with pytest.raises(EngineError) as caught:
        read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert find_engine(bundle, "fp32", ORIN).engine is None


@given(
    field=st.sampled_from([*OTHER, "size", "sha256"]),
    value=st.one_of(st.none(), st.floats(), st.just({}), st.just([None])),
)
def test_a_field_of_the_wrong_kind_is_named(
    tmp_path_factory: pytest.TempPathFactory, field: str, value: object
) -> None:
    path = tmp_path_factory.mktemp("trt") / "fp32-0.json"
    sound = {**OTHER, "size": 1, "sha256": "0" * 64}
    path.write_text(json.dumps({**sound, field: value}))
    with pytest.raises(EngineError, match=field):
        read(path)


def test_an_engine_is_written_whole_or_not_at_all(bundle: Bundle, kept: EngineFile, full_disk: Any) -> None:
    before = {path.name: path.read_bytes() for path in kept.path.parent.iterdir()}
    with full_disk(1000), pytest.raises(EngineError, match="make room") as caught:
        write(bundle, kept.key, bytes(2000))
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in kept.path.parent.iterdir()} == before


def test_without_tensorrt_the_command_begins_with_what_installs_it(bundle: Bundle) -> None:
    wanted = EngineKey.wanted(bundle, "fp32", dataclasses.replace(ORIN, builder=NONE))
    assert "install" in engine_file.build_command(bundle, wanted).partition("then edgeseg build")[0]
