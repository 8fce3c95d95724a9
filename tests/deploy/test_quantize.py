"""What is quantised is judged before it is kept: a graph that costs too much is mended layer by layer, or not written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

import edgeseg
from edgeseg.core.bundle import Bundle, amend_bundle
from edgeseg.core.errors import BundleError, EdgesegError, UsageError
from edgeseg.deploy.calibration import Chosen, choose_images, fingerprint
from edgeseg.deploy.keep import calib_folder, keep
from edgeseg.deploy.qdq import quantise
from edgeseg.deploy.quantize import Outcome, Wishes, quantize
from tests.deploy import colour_net

Steps = Callable[[str, int], Callable[[], object]]


def quiet(what: str, total: int) -> Callable[[], object]:
    return lambda: None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return colour_net.write_data(tmp_path_factory.mktemp("data"))


def quantized(bundle: Bundle, data: str, **wishes: object) -> Outcome:
    return quantize(bundle, Wishes(("fp16", "int8"), data, **wishes), quiet)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, data: str) -> Bundle:
    """A bundle with all three graphs."""
    outcome = quantized(colour_net.write(tmp_path_factory.mktemp("shelf") / "engines" / "even"), data)
    return keep(outcome, calib_folder(outcome.bundle))


def test_both_graphs_stand_in_the_bundle_and_were_judged(kept: Bundle) -> None:
    assert set(kept.graphs) == {"fp32", "fp16", "int8"}
    stored = {t.data_type for t in onnx.load(kept.graph("fp16")).graph.initializer}
    assert onnx.TensorProto.FLOAT not in stored
    nodes = onnx.load(kept.graph("int8")).graph.node
    rounded = {node.input[0] for node in nodes if node.op_type == "QuantizeLinear" and "weight" in node.input[0]}
    assert rounded == {f"{name}.weight" for name in colour_net.LAYERS[:-1]}
    by_precision = {row["precision"]: row for row in kept.metrics}
    assert by_precision["int8"]["miou"] > 0.95
    assert by_precision["int8"]["split"] == "val"
    assert abs(kept.quantization["int8"]["drop"]) < 0.5


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_onnx_runtime_and_openvino_give_the_same_label_maps(kept: Bundle, precision: str) -> None:
    with (
        edgeseg.load(kept.path, engine="onnxruntime", precision=precision) as one,
        edgeseg.load(kept.path, engine="openvino", precision=precision) as other,
    ):
        for seed in range(2000, 2006):
            image, _ = colour_net.picture(seed)
            said, also_said = one(image), other(image)
            assert isinstance(said, edgeseg.SemanticMask) and isinstance(also_said, edgeseg.SemanticMask)
            assert np.mean(said.labels == also_said.labels) >= 0.995


def test_what_it_was_calibrated_with_is_recorded(kept: Bundle, data: str) -> None:
    folder = calib_folder(kept)
    assert folder == kept.path.parent.parent / "calib" / "even"
    images = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert len(images["images"]) == 40
    first = images["images"][0]
    pixels = cv2.imread(f"{data.removeprefix('folder:')}/images/train/{first['name']}.png")
    assert first["sha256"] == fingerprint(np.asarray(pixels, np.uint8))
    ranges = json.loads((folder / "ranges.json").read_text(encoding="utf-8"))
    assert set(ranges["ranges"]) == {"seen", "blocks.relu", "mix.relu", "spread.relu"}
    assert set(ranges["ranges"]["seen"]) == {"minmax", "entropy", "percentile"}
    assert all(str(folder.parent.parent) not in file.read_text(encoding="utf-8") for file in folder.iterdir())


def test_a_planted_outlier_is_found_named_and_kept_in_float(tmp_path: Path, data: str) -> None:
    outcome = quantized(colour_net.write(tmp_path / "planted", planted=1000), data)
    assert outcome.costs[0].layer == colour_net.VICTIM
    assert outcome.reference.points - outcome.tries[0] > 50
    assert set(outcome.made["int8"].in_float) == {colour_net.VICTIM, "answer"}
    assert "half of them are below" in outcome.made["int8"].in_float[colour_net.VICTIM]
    assert outcome.held
    bundle = keep(outcome, tmp_path / "calib")
    convolutions = {n.name: n.input[1] for n in onnx.load(bundle.graph("int8")).graph.node if n.op_type == "Conv"}
    assert convolutions[colour_net.VICTIM] == f"{colour_net.VICTIM}.weight"
    assert convolutions["spread"].startswith("spread.weight.") and convolutions["spread"] != "spread.weight"


def test_a_layer_in_float_reads_what_was_not_rounded_for_its_neighbour() -> None:
    model = colour_net.graph()
    gather = next(node for node in model.graph.node if node.name == "gather")
    gather.input[0] = "blocks.relu"
    quantised = quantise(model, {"seen": 1.0, "blocks.relu": 1.0}, ["blocks", "gather"])
    read = {node.name: node.input[0] for node in quantised.graph.node if node.op_type == "Conv"}
    assert read[colour_net.VICTIM] == "blocks.relu"
    assert read["gather"] != "blocks.relu"


def test_a_value_beyond_fp16_stays_in_fp32(tmp_path: Path, data: str) -> None:
    wishes = Wishes(("fp16",), data)
    outcome = quantize(colour_net.write(tmp_path / "planted", planted=1e6), wishes, quiet)
    assert outcome.held
    reasons = outcome.made["fp16"].in_float
    assert {"blocks", colour_net.VICTIM} <= set(reasons)
    assert "FP16 ends at 65504" in reasons[colour_net.VICTIM]


def test_too_few_images_are_refused_unless_forced(tmp_path: Path) -> None:
    bundle, few = colour_net.write(tmp_path / "even"), colour_net.write_data(tmp_path / "few", train=9, val=3)
    with pytest.raises(UsageError, match="9 images to calibrate with are too few, 32 are the least"):
        quantized(bundle, few)
    assert quantized(bundle, few, force=True).held


def chosen(bundle: Bundle, address: str, force: bool = True) -> Chosen:
    return choose_images(bundle, address, calibrate="train", judge="val", images=128, most=500, force=force)


def test_images_that_are_all_alike_are_warned_of(tmp_path: Path, data: str) -> None:
    bundle, alike = colour_net.write(tmp_path / "even"), tmp_path / "alike"
    address = colour_net.write_data(alike, train=4, val=3)
    first = (alike / "images" / "train" / "0000.png").read_bytes()
    for path in (alike / "images" / "train").iterdir():
        path.write_bytes(first)
    assert any("all alike" in warning for warning in chosen(bundle, address).warnings)
    assert not chosen(bundle, data).warnings


def test_an_image_that_is_none_is_named(tmp_path: Path) -> None:
    bundle, address = colour_net.write(tmp_path / "even"), colour_net.write_data(tmp_path / "data", train=4, val=3)
    (tmp_path / "data" / "images" / "train" / "0002.png").write_bytes(b"not an image")
    with pytest.raises(EdgesegError, match=r"train/0002\.png: not an image"):
        quantized(bundle, address, force=True)


def test_images_that_calibrate_never_judge(tmp_path: Path) -> None:
    bundle = colour_net.write(tmp_path / "even")
    address = colour_net.write_data(tmp_path / "data", train=4, val=5)
    for kind in ("images", "labels"):
        source = (tmp_path / "data" / kind / "train" / "0002.png").read_bytes()
        (tmp_path / "data" / kind / "val" / "1001.png").write_bytes(source)
    parts = chosen(bundle, address)
    assert [parts.judged[i][0] for i in range(len(parts.judged))] == ["1000", "1002", "1003", "1004"]
    assert "1 images of val are calibrated with too" in parts.warnings[0]


def test_a_data_set_of_one_split_is_halved(tmp_path: Path) -> None:
    bundle = colour_net.write(tmp_path / "even")
    parts = chosen(bundle, colour_net.write_data(tmp_path / "data", train=0, val=9))
    names = [{part[i][0] for i in range(len(part))} for part in (parts.calibration, parts.judged)]
    assert names == [{"1000", "1001", "1002", "1003"}, {"1004", "1005", "1006", "1007", "1008"}]
    assert parts.split == "val, second half"
    assert "so val is halved" in parts.warnings[0]


def test_a_bundle_edited_after_quantization_is_noticed(kept: Bundle, tmp_path: Path) -> None:
    other = colour_net.graph(planted=2).SerializeToString()
    edited = amend_bundle(_copied(kept, tmp_path), {"model.fp32.onnx": other})
    edgeseg.load(edited.path, engine="onnxruntime", precision="fp32").close()
    with pytest.raises(
        BundleError, match=r"model\.int8\.onnx was made from another model\.fp32\.onnx .* `edgeseg quantize "
    ):
        edgeseg.load(edited.path, engine="onnxruntime", precision="int8")


def test_quantizing_anew_replaces_what_was_said_before(kept: Bundle, tmp_path: Path, data: str) -> None:
    copied = _copied(kept, tmp_path)
    again = keep(quantized(copied, data), tmp_path / "calib")
    assert [row["precision"] for row in again.metrics] == ["fp16", "int8"]


def _copied(bundle: Bundle, folder: Path) -> Bundle:
    target = folder / bundle.path.name
    target.mkdir()
    for file in bundle.path.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return Bundle.open(target)
