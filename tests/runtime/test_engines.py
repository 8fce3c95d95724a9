"""Every engine computes what the bundle's author saw, or is refused; what was asked for is never silently replaced."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import edgeseg
from edgeseg.core.bundle import Bundle, write_bundle
from edgeseg.core.errors import EngineError, MissingPackageError, UsageError
from edgeseg.core.golden_frame import pack, unpack
from edgeseg.runtime.choose import choose, open_engine
from edgeseg.runtime.gpu.driver import find_gpu
from tests.conftest import COLOURS_BGR, golden_frame, manifest, nearest_colour_graph

ENGINES = [("onnxruntime", "fp32"), ("openvino", "fp32")]


@pytest.mark.parametrize(("engine", "precision"), ENGINES)
def test_the_masks_are_right_at_the_images_own_size(
    bundle_folder: Path, bars: np.ndarray, engine: str, precision: str
) -> None:
    with edgeseg.load(bundle_folder, engine=engine, precision=precision) as model:
        masks = model(bars)
    assert masks.labels.shape == (120, 180)
    for bar, name in enumerate(("red", "green", "blue")):
        assert masks.of(name)[:, bar * 60 + 8 : bar * 60 + 52].all()
    assert (model.engine.name, model.engine.precision, model.engine.reason) == (engine, precision, "as asked")


def test_engines_agree_on_the_logits(bundle_folder: Path) -> None:
    bundle = Bundle.open(bundle_folder)
    image = np.random.default_rng(5).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    answers = []
    for engine, precision in ENGINES:
        with open_engine(bundle, choose(bundle, engine, precision)) as opened:
            answers.append(opened.infer(image)["logits"].copy())
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-4)


def test_auto_says_what_it_took_and_why(bundle_folder: Path) -> None:
    choice = choose(Bundle.open(bundle_folder))
    assert (choice.engine, choice.precision) in {("openvino", "bf16"), ("onnxruntime", "fp32")}
    assert choice.reason.startswith("auto: ")


@pytest.mark.parametrize(
    ("engine", "precision", "said"),
    [
        ("onnxruntim", "auto", "did you mean onnxruntime"),
        ("auto", "fp23", "did you mean fp32"),
        ("onnxruntime", "bf16", "onnxruntime has no bf16"),
        ("openvino", "int8", "has no int8 graph, only fp32"),
        ("auto", "int8", "has no int8 graph, only fp32"),
    ],
)
def test_what_can_not_be_is_refused(bundle_folder: Path, engine: str, precision: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose(Bundle.open(bundle_folder), engine, precision)


@pytest.mark.parametrize(
    ("colours", "said"),
    [(COLOURS_BGR[:, ::-1], "red and blue are swapped"), (COLOURS_BGR[::-1], "golden frame comes out .* off")],
)
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_graph_that_answers_otherwise_is_refused(tmp_path: Path, colours: np.ndarray, said: str, engine: str) -> None:
    right, wrong = nearest_colour_graph(COLOURS_BGR), nearest_colour_graph(colours)
    bundle = write_bundle(tmp_path / "wrong", manifest(), {"model.fp32.onnx": wrong, "golden.npz": golden_frame(right)})
    with pytest.raises(EngineError, match=said):
        open_engine(bundle, choose(bundle, engine, "fp32"))


@pytest.mark.parametrize(
    ("noise", "precision", "fits"), [(0.2, "int8", True), (0.2, "fp32", False), (0.6, "int8", False)]
)
def test_a_rounded_graph_may_be_off_where_a_wrong_input_is_further_off(
    tmp_path: Path, noise: float, precision: str, fits: bool
) -> None:
    graph = nearest_colour_graph(COLOURS_BGR)
    (tmp_path / "golden.npz").write_bytes(golden_frame(graph))
    image, answer = unpack(tmp_path / "golden.npz")
    off = np.random.default_rng(0).normal(0, noise * answer["logits"].std(), answer["logits"].shape).astype(np.float32)
    files = {
        "model.fp32.onnx": graph,
        "model.int8.onnx": graph,
        "golden.npz": pack(image, {"logits": answer["logits"] + off}),
    }
    graphs = {"fp32": "model.fp32.onnx", "int8": "model.int8.onnx"}
    bundle = write_bundle(tmp_path / "rounded", {**manifest(), "graphs": graphs}, files)
    with nullcontext() if fits else pytest.raises(EngineError, match=r"golden frame comes out .* off"):
        open_engine(bundle, choose(bundle, "onnxruntime", precision)).close()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_file_that_is_no_graph_is_refused_in_one_line(tmp_path: Path, bundle_folder: Path, engine: str) -> None:
    golden = shutil.copy(bundle_folder / "golden.npz", tmp_path)
    files = {"model.fp32.onnx": b"not a graph", "golden.npz": Path(golden).read_bytes()}
    bundle = write_bundle(tmp_path / "broken", manifest(), files)
    with pytest.raises(EngineError, match="can't open it") as caught:
        open_engine(bundle, choose(bundle, engine, "fp32"))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(find_gpu() is not None, reason="a GPU is here")
def test_tensorrt_without_a_gpu_is_refused_with_what_to_do(bundle_folder: Path) -> None:
    with pytest.raises(MissingPackageError, match="needs an NVIDIA GPU and its driver, and none is here"):
        edgeseg.load(bundle_folder, engine="tensorrt")
