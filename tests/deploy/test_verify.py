"""Two engines of one bundle are compared pixel by pixel and thing by thing: what is planted is found, and drawn."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from edgeseg.core.cutouts import Cutouts
from edgeseg.core.errors import EdgesegError, EngineError
from edgeseg.core.golden_frame import pack, unpack
from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.deploy.agreement import mask_iou
from edgeseg.deploy.frames import frames_of
from edgeseg.deploy.verify import Verification, least_agreement
from edgeseg.runtime.segmenter import SemanticSegmenter, load
from edgeseg.vision.disagreement import DIFFERS, ZOOM, densest
from tests.runtime.coloured_halves import GREEN, scene
from tests.runtime.coloured_halves import write as write_halves

SHIFT = np.float32(0.05)


def _altered(folder: Path, out: Path, weight: str, change: np.ndarray | float, times: float = 1.0) -> Path:
    """A copy of a bundle, of which one constant of the graph is multiplied and shifted; its golden frame fits it."""
    out.mkdir()
    model = onnx.load(str(folder / "model.fp32.onnx"))
    (constant,) = [entry for entry in model.graph.initializer if entry.name == weight]
    values = numpy_helper.to_array(constant) * np.float32(times) + change
    constant.CopyFrom(numpy_helper.from_array(values.astype(np.float32), weight))
    return _rewritten(folder, out, model)


def _rewritten(folder: Path, out: Path, model: onnx.ModelProto) -> Path:
    """Writes the bundle in `folder` to `out` with another graph and that one's answer to the golden image."""
    graph = model.SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    image, _ = unpack(folder / "golden.npz")
    names = [output.name for output in session.get_outputs()]
    answer: dict[str, Any] = dict(zip(names, session.run(names, {"image": image[None]}), strict=True))
    manifest = json.loads((folder / "bundle.json").read_text())
    for name, content in (("model.fp32.onnx", graph), ("golden.npz", pack(image, answer))):
        (out / name).write_bytes(content)
        manifest["files"][name] = hashlib.sha256(content).hexdigest()
    (out / "bundle.json").write_text(json.dumps(manifest))
    return out


def _semantic(folder: Path, engine: str = "onnxruntime") -> SemanticSegmenter:
    segmenter = load(folder, engine=engine, precision="fp32", threads=1)
    assert isinstance(segmenter, SemanticSegmenter)
    return segmenter


def _things(masks: Masks) -> InstanceMasks:
    assert isinstance(masks, InstanceMasks)
    return masks


@pytest.fixture
def shifted(bundle_folder: Path, tmp_path: Path) -> Path:
    """The bundle that tells three colours apart, its first logit raised everywhere."""
    return _altered(bundle_folder, tmp_path / "shifted", "bias", np.array([SHIFT, 0, 0]))


@pytest.fixture
def gradient() -> np.ndarray:
    """uint8 [60, 90, 3] BGR, from red on the left over green to blue on the right, so that every place is near a border."""
    ends = np.array([[40, 40, 220], [60, 180, 40], [230, 80, 50]], np.float32)
    row = cv2.resize(ends[None], (90, 1), interpolation=cv2.INTER_LINEAR)
    return np.repeat(row, 60, axis=0).round().astype(np.uint8)


def test_engines_that_compute_alike_agree(bundle_folder: Path, bars: np.ndarray) -> None:
    with _semantic(bundle_folder) as reference, _semantic(bundle_folder, "openvino") as tested:
        verification = Verification(reference, tested)
        verification.add("bars", bars)
        figures = verification.figures()
    assert (figures["frames"], figures["agreement"]) == (1, 1.0)
    assert figures["per_class"] == {"red": 1.0, "green": 1.0, "blue": 1.0}
    assert figures["outputs"]["logits"]["largest"] < 1e-4
    assert figures["outputs"]["logits"]["deviation"] > 0.1


def test_what_differs_is_counted_pixel_by_pixel(
    bundle_folder: Path, shifted: Path, bars: np.ndarray, gradient: np.ndarray
) -> None:
    with _semantic(bundle_folder) as reference, _semantic(shifted) as tested:
        verification = Verification(reference, tested)
        for name, image in (("bars", bars), ("gradient", gradient), ("bars again", bars)):
            verification.add(name, image)
        pairs = [(reference(image).labels, tested(image).labels) for image in (bars, gradient, bars)]
    figures = verification.figures()
    expected, actual = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    assert figures["agreement"] == pytest.approx((expected == actual).mean())
    assert figures["agreement"] < 1
    for place, name in enumerate(("red", "green", "blue")):
        own = expected == place
        assert figures["per_class"][name] == pytest.approx((actual[own] == place).mean())
    logits = figures["outputs"]["logits"]
    # One logit of three is off, by as much everywhere.
    assert logits["largest"] == pytest.approx(SHIFT, rel=1e-3)
    assert logits["mean"] == pytest.approx(SHIFT / 3, rel=1e-3)
    assert figures["worst"]["name"] == "gradient"
    assert figures["worst"]["agreement"] == pytest.approx((pairs[1][0] == pairs[1][1]).mean())


def test_the_picture_shows_what_differs_and_nothing_else(
    bundle_folder: Path, shifted: Path, bars: np.ndarray, gradient: np.ndarray
) -> None:
    struck: list[int] = []
    with _semantic(bundle_folder) as reference, _semantic(shifted) as tested:
        for other, image in ((reference, bars), (tested, gradient)):
            verification = Verification(reference, other)
            verification.add("one", image)
            sheet = verification.picture()
            assert sheet.dtype == np.uint8
            assert sheet.shape[1] > 1600
            struck.append(int((np.abs(sheet[:, :, ::-1].astype(int) - DIFFERS).sum(axis=2) < 12).sum()))
    # The legend alone has that colour where nothing differs.
    assert struck[0] < 400
    assert struck[1] > 5000


def test_an_answer_that_is_no_number_is_named(bundle_folder: Path, tmp_path: Path) -> None:
    # 0 / the brightest byte: a number everywhere but on a black frame.
    model = onnx.load(str(bundle_folder / "model.fp32.onnx"))
    model.graph.node[-1].output[0] = "sound"
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.float32), "zero"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["real"], ["most"], keepdims=0),
            helper.make_node("Div", ["zero", "most"], ["nought"]),
            helper.make_node("Add", ["sound", "nought"], ["logits"]),
        ]
    )
    (tmp_path / "broken").mkdir()
    broken = _rewritten(bundle_folder, tmp_path / "broken", model)
    with _semantic(bundle_folder) as reference, _semantic(broken) as tested:
        verification = Verification(reference, tested)
        with pytest.raises(EngineError, match="onnxruntime fp32 answers the black one with logits that are no numbers"):
            verification.add("the black one", np.zeros((64, 96, 3), np.uint8))


def test_things_are_matched_by_their_masks(tmp_path: Path) -> None:
    folder = write_halves(tmp_path / "halves").path
    weaker = _altered(folder, tmp_path / "weaker", "weight", 0.0, times=0.9)
    strong, faint = scene(320, 240), np.full((240, 320, 3), GREEN, np.uint8)
    # So dark a red that its mask is there for the stronger one of the two alone.
    faint[80:160, 40:120] = 0, 0, 189
    with load(folder, engine="onnxruntime") as reference, load(weaker, engine="onnxruntime") as tested:
        verification = Verification(reference, tested)
        verification.add("both", strong)
        verification.add("faint", faint)
        found = [(len(_things(reference(image))), len(_things(tested(image)))) for image in (strong, faint)]
    assert found == [(2, 2), (1, 0)]
    figures = verification.figures()
    things = figures["things"]
    assert (things["reference"], things["tested"], things["matched"]) == (3, 2, 2)
    assert things["share"] == pytest.approx(4 / 5)
    assert 0.9 < things["mask_iou"] < 1
    assert things["score_difference"]["largest"] == pytest.approx(0.1, abs=0.01)
    assert set(figures["per_class"]) == {"red", "blue", "nothing"}
    assert figures["worst"]["name"] == "faint"
    assert set(figures["outputs"]) == {"boxes", "scores", "coefficients", "prototypes"}
    assert verification.picture().shape[1] > 1600


def test_where_nobody_finds_a_thing_nothing_was_compared(tmp_path: Path) -> None:
    folder = write_halves(tmp_path / "halves").path
    with load(folder, engine="onnxruntime", precision="fp32", threads=1) as one:
        verification = Verification(one, one)
        verification.add("green", np.full((64, 96, 3), GREEN, np.uint8))
    with pytest.raises(EdgesegError, match="no engine found a thing on any frame"):
        verification.figures()


def test_the_overlap_of_cut_out_masks_is_that_of_whole_ones() -> None:
    rng = np.random.default_rng(0)
    sets = []
    for count in (4, 3):
        masks = np.zeros((count, 20, 30), bool)
        for mask in masks:
            x, y = rng.integers(0, 20), rng.integers(0, 10)
            mask[y : y + 10, x : x + 10] = rng.random((10, 10)) < 0.6
        sets.append(masks)
    shared = np.array([[(one & other).sum() for other in sets[1]] for one in sets[0]])
    union = np.array([[(one | other).sum() for other in sets[1]] for one in sets[0]])
    assert shared.any()
    np.testing.assert_allclose(mask_iou(Cutouts.of(sets[0]), Cutouts.of(sets[1])), shared / union)
    assert mask_iou(Cutouts.of(np.zeros((1, 5, 5), bool)), Cutouts.of(np.zeros((1, 5, 5), bool))) == 0


@pytest.mark.parametrize("spot", [(0, 0), (99, 179), (50, 3), (37, 120)])
def test_the_enlarged_place_holds_what_differs(spot: tuple[int, int]) -> None:
    differs = np.zeros((100, 180), bool)
    differs[spot] = True
    x0, y0, x1, y1 = densest(differs)
    assert 0 <= x0 <= spot[1] < x1 <= 180
    assert 0 <= y0 <= spot[0] < y1 <= 100
    assert (x1 - x0, y1 - y0) == (180 // ZOOM, 100 // ZOOM)


def test_int8_is_asked_for_less() -> None:
    assert least_agreement("fp32", "bf16") == least_agreement("fp16", "fp32") == (0.998, 0.95)
    assert least_agreement("fp32", "int8") == least_agreement("int8", "int8") == (0.99, 0.9)


def test_frames_come_from_all_over_a_data_set_and_from_the_beginning_of_a_source(tmp_path: Path) -> None:
    for folder in ("val", "valannot"):
        (tmp_path / folder).mkdir()
    for number in range(9):
        cv2.imwrite(str(tmp_path / "val" / f"{number}.png"), np.full((8, 8, 3), 20 * number, np.uint8))
        cv2.imwrite(str(tmp_path / "valannot" / f"{number}.png"), np.zeros((8, 8), np.uint8))
    assert [image[0, 0, 0] for _, image in frames_of(f"camvid:{tmp_path}", "val", 3)] == [0, 80, 160]
    assert len(list(frames_of(f"camvid:{tmp_path}", "val", 99))) == 9
    from_folder = list(frames_of(str(tmp_path / "val"), "val", 2))
    assert [(name, image[0, 0, 0]) for name, image in from_folder] == [("0.png, frame 0", 0), ("1.png, frame 1", 20)]


def test_a_semantic_frame_is_judged_as_it_is_delivered(bundle_folder: Path, bars: np.ndarray) -> None:
    with _semantic(bundle_folder) as one:
        verification = Verification(one, one)
        verification.add("bars", bars)
        assert verification.worst is not None
        assert isinstance(verification.worst.tested, SemanticMask)
        np.testing.assert_array_equal(verification.worst.tested.labels, one(bars).labels)
