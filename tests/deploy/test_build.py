"""Engines are built for real, by TensorRT-RTX, which needs no GPU to build. What they compute needs one: tests/gpu."""

from __future__ import annotations

import _thread
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeseg.core.bundle import MANIFEST, Bundle, write_bundle
from edgeseg.core.errors import BundleError, EngineError, MissingPackageError, UsageError
from edgeseg.deploy.build import PRECISIONS, build, choose_builder, plan, precisions
from edgeseg.deploy.tensorrt_api import Request, capabilities, failure, serialize
from edgeseg.runtime.engine_file import FOLDER, Device, EngineFile, find_engine
from edgeseg.runtime.gpu.driver import find_gpu
from edgeseg.runtime.gpu.tensorrt_package import install_line, load_builder

trt = pytest.importorskip("tensorrt_rtx", reason="pip install tensorrt-rtx: it builds engines without a GPU")

ENGINES = Path(__file__).parent.parent.parent / "engines"
SHIPPED = [
    (manifest.parent.name, precision)
    for manifest in sorted(ENGINES.glob(f"*/{MANIFEST}"))
    for precision in json.loads(manifest.read_text())["graphs"]
]


class Phases:
    """A watcher that remembers what it was told."""

    def __init__(self, at_each_step: Callable[[], None] = lambda: None) -> None:
        self.begun: list[tuple[str, str | None]] = []
        self.ended: list[str] = []
        self.at_each_step = at_each_step

    def begin(self, phase: str, parent: str | None, steps: int) -> None:
        self.begun.append((phase, parent))

    def step(self, phase: str, done: int) -> None:
        self.at_each_step()

    def end(self, phase: str) -> None:
        self.ended.append(phase)


def built(bundle: Bundle, precision: str = "fp32", capability: str = "any") -> EngineFile:
    return build(bundle, plan(bundle, precision, trt, capability), trt, Phases())


def here() -> Device:
    return Device.here("tensorrt_rtx", trt.__version__)


def files(bundle: Bundle) -> set[str]:
    folder = bundle.path / FOLDER
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture
def bundle(bundle_folder: Path, tmp_path: Path) -> Bundle:
    return Bundle.open(shutil.copytree(bundle_folder, tmp_path / "nearest-colour"))


@pytest.mark.parametrize(("name", "precision"), SHIPPED)
def test_every_graph_that_ships_builds_and_is_found_here(tmp_path: Path, name: str, precision: str) -> None:
    bundle = Bundle.open(shutil.copytree(ENGINES / name, tmp_path / name, ignore=shutil.ignore_patterns(FOLDER)))
    engine = built(bundle, precision)
    assert engine.size > 10_000
    assert find_engine(bundle, precision, here()).engine == engine
    assert files(bundle) == {engine.path.name, engine.path.with_suffix(".json").name}


def test_what_is_built_is_as_a_person_reads_it_in_the_json(bundle: Bundle) -> None:
    about = json.loads(built(bundle).path.with_suffix(".json").read_text())
    assert (about["builder"], about["builder_version"]) == ("tensorrt_rtx", trt.__version__)
    assert about["graph_sha256"] == bundle.files["model.fp32.onnx"]
    assert about["input_shape"] == [1, 64, 96, 3]
    assert (about["platform"], about["gpu"], about["compute_capability"]) == ("any", "any", "8.0+")


def test_an_engine_that_fits_is_not_built_again(bundle: Bundle) -> None:
    engine = built(bundle)
    assert plan(bundle, "fp32", trt).kept == engine
    assert plan(bundle, "fp32", trt, "8.6").kept is None
    engine.path.write_bytes(engine.path.read_bytes()[:-7])
    again = plan(bundle, "fp32", trt)
    assert again.kept is None and "cut short" in again.reasons[0]
    assert plan(Bundle.open(bundle.path), "fp32", trt).key == built(bundle).key
    assert plan(bundle, "fp32", trt).kept is not None


def test_a_build_takes_the_place_of_stale_and_unreadable_engines_and_leaves_other_devices_theirs(
    bundle: Bundle,
) -> None:
    engine = built(bundle)
    about = engine.path.with_suffix(".json")
    stale = json.loads(about.read_text()) | {"builder_version": "1.0"}
    foreign = json.loads(about.read_text()) | {"builder": "tensorrt", "gpu": "Orin"}
    for name, text in (("stale", json.dumps(stale)), ("foreign", json.dumps(foreign)), ("broken", "{")):
        shutil.copy(engine.path, engine.path.with_name(f"fp32-{name}.engine"))
        about.with_name(f"fp32-{name}.json").write_text(text)
    built(bundle)
    assert files(bundle) == {engine.path.name, about.name, "fp32-foreign.engine", "fp32-foreign.json"}


@pytest.mark.parametrize("capability", [name for name in ("7.5", "8.9") if name in capabilities(trt)])
def test_an_engine_for_one_kind_of_gpu_says_so(bundle: Bundle, capability: str) -> None:
    assert built(bundle, capability=capability).key.compute_capability == capability
    for_it = Device("tensorrt_rtx", trt.__version__, "linux-x86_64", "NVIDIA GeForce", capability)
    other = Device("tensorrt_rtx", trt.__version__, "linux-x86_64", "NVIDIA GeForce", "8.6")
    assert find_engine(bundle, "fp32", for_it).engine is not None
    assert f"compute_capability is {capability}, here 8.6" in find_engine(bundle, "fp32", other).reasons[0]


def test_the_watcher_is_told_of_every_phase_from_its_beginning_to_its_end(bundle: Bundle) -> None:
    watcher = Phases()
    build(bundle, plan(bundle, "fp32", trt), trt, watcher)
    assert sorted(watcher.ended) == sorted(phase for phase, _ in watcher.begun)
    assert watcher.begun[0][1] is None
    assert len({phase for phase, _ in watcher.begun}) > 3


def test_an_interrupted_build_leaves_nothing(bundle: Bundle) -> None:
    # As Ctrl-C, but without the signal, whose delivery other packages' signal stacks may not survive.
    presses = iter([_thread.interrupt_main])
    watcher = Phases(lambda: next(presses, lambda: None)())
    with pytest.raises(KeyboardInterrupt):
        build(bundle, plan(bundle, "fp32", trt), trt, watcher)
    assert files(bundle) == set()


def test_a_build_that_is_stopped_ends_at_its_next_step(bundle: Bundle) -> None:
    stop, steps = Event(), iter(range(1000))
    watcher = Phases(lambda: stop.set() if next(steps) == 20 else None)
    graph = bundle.graph("fp32").read_bytes()
    with pytest.raises(EngineError, match="stopped"):
        serialize(trt, Request(graph, "model.fp32.onnx", "fp32"), watcher, stop)
    assert next(steps) == 21


def quantized(bias: str, weight: str = "int8") -> bytes:
    """Returns an ONNX graph of one quantized convolution. bias: float32, float16, or int32 (by a DequantizeLinear).
    weight: int8 (by a DequantizeLinear) or float16, which is what a conversion to FP16 after quantization leaves."""
    scales, zeros = np.full(3, 1 / 30, np.float32), np.zeros(3, np.int8)
    constants: dict[str, np.ndarray] = {"s": np.array(1, np.float32), "z": np.array(0, np.int8), "ws": scales}
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], name="to_real", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], name="to_planes", perm=[0, 3, 1, 2]),
        helper.make_node("QuantizeLinear", ["planes", "s", "z"], ["q"], name="quantize"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"], name="dequantize"),
    ]
    if weight == "int8":
        constants |= {"wq": np.ones((3, 3, 8, 8), np.int8), "wz": zeros}
        nodes.append(helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["w"], name="weight_dequantize", axis=0))
    else:
        constants["w"] = np.ones((3, 3, 8, 8), weight)
    if bias == "int32":
        constants |= {"bq": np.zeros(3, np.int32), "bz": np.zeros(3, np.int32)}
        nodes.append(helper.make_node("DequantizeLinear", ["bq", "ws", "bz"], ["b"], name="bias_dequantize", axis=0))
    else:
        constants["b"] = np.zeros(3, bias)
    nodes.append(helper.make_node("Conv", ["x", "w", "b"], ["logits"], name="convolve", strides=[8, 8]))
    return serialized(nodes, constants)


def serialized(nodes: list, constants: dict[str, np.ndarray]) -> bytes:
    graph = helper.make_graph(
        nodes,
        "wrong",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 64, 96, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def with_graph(bundle: Bundle, graph: bytes) -> Bundle:
    """Returns the bundle with another graph in the place of its FP32 one."""
    document = json.loads((bundle.path / MANIFEST).read_text())
    golden = (bundle.path / "golden.npz").read_bytes()
    fields = {key: value for key, value in document.items() if key not in {"format", "files"}}
    return write_bundle(bundle.path, fields, {"model.fp32.onnx": graph, "golden.npz": golden})


def test_a_graph_quantized_as_it_should_be_builds(bundle: Bundle) -> None:
    assert built(with_graph(bundle, quantized("float32"))).size > 10_000


@pytest.mark.parametrize(
    ("graph", "node", "why"),
    [
        (quantized("int32"), "bias_dequantize (DequantizeLinear)", "Int32"),
        (quantized("float16"), "convolve (Conv)", "same type"),
        (quantized("float32", weight="float16"), "convolve (Conv)", "same type"),
        (serialized([helper.make_node("Det", ["image"], ["logits"], name="det")], {}), "det (Det)", "no such operator"),
        (
            serialized([helper.make_node("Mine", ["image"], ["logits"], name="own", domain="my.own")], {}),
            "own (Mine)",
            "no such operator",
        ),
        (b"<html>not found</html>", "model.fp32.onnx", "no graph in it"),
        (b"ONNX" * 9, "model.fp32.onnx", "can't read the graph"),
    ],
    ids=["int32 bias", "FP16 bias after Q/DQ", "FP16 weight after Q/DQ", "operator", "own operator", "page", "bytes"],
)
def test_a_wrong_graph_is_refused_in_one_line_that_names_the_node(
    bundle: Bundle, graph: bytes, node: str, why: str
) -> None:
    wrong = with_graph(bundle, graph)
    with pytest.raises(EngineError) as caught:
        built(wrong)
    said = str(caught.value)
    assert node in said and why in said and str(wrong.path) in said
    assert "\n" not in said
    assert files(wrong) == set()


def test_a_graph_that_was_edited_is_not_built(bundle: Bundle) -> None:
    graph = bundle.path / "model.fp32.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    with pytest.raises(BundleError, match="sha256"):
        built(bundle)


@pytest.mark.parametrize(
    "logged",
    [
        "[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)",
        "[executionContext.cpp::ExecutionContext::180] Error Code 2: OutOfMemory (Requested size was 1073741824 bytes.)",
        "Requested amount of GPU memory (8589934592 bytes) could not be allocated. There may not be enough free memory",
    ],
)
def test_a_full_gpu_is_answered_with_what_takes_less(logged: str) -> None:
    assert "--workspace" in failure(trt, ["Error Code 10: Internal Error (Could not find any implementation)", logged])


def test_precisions_are_those_that_the_bundle_has(bundle: Bundle) -> None:
    assert precisions(bundle) == ("fp32",)
    with pytest.raises(UsageError, match="edgeseg quantize"):
        precisions(bundle, "int8")
    with pytest.raises(UsageError, match="did you mean fp16"):
        precisions(bundle, "fp15")
    assert set(PRECISIONS) == {"fp32", "fp16", "int8"}


def test_a_kind_of_gpu_that_can_not_be_built_for_is_answered_with_those_that_can(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match=r"known: any, .*8\.6"):
        plan(bundle, "fp32", trt, "5.0")


@pytest.mark.parametrize(
    ("machine", "jetson", "line"),
    [
        ("x86_64", False, "pip install tensorrt"),
        ("aarch64", False, "pip install tensorrt"),
        ("aarch64", True, "nvidia-jetpack"),
    ],
    ids=["desktop", "server", "Jetson"],
)
def test_without_tensorrt_the_line_that_installs_it_is_this_platform_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, jetson: bool, line: str
) -> None:
    monkeypatch.setattr("edgeseg.runtime.gpu.tensorrt_package.find_spec", lambda _: None)
    monkeypatch.setattr("platform.machine", lambda: machine)
    release = tmp_path / "nv_tegra_release"
    monkeypatch.setattr("edgeseg.runtime.gpu.tensorrt_package.JETSON", release)
    if jetson:
        release.write_text("# R36 (release), REVISION: 4.7\n")
    with pytest.raises(MissingPackageError, match=line):
        choose_builder()
    assert ("rtx" in install_line("tensorrt_rtx")) == (machine == "x86_64")


def test_a_tensorrt_that_does_not_load_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "tensorrt"
    package.mkdir()
    (package / "__init__.py").write_text(
        "raise ImportError('libnvinfer.so.10: cannot open shared object file: No such file or directory')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EngineError, match=r"libnvinfer\.so\.10.*install it anew"):
        load_builder("tensorrt")


@pytest.mark.skipif(find_gpu() is not None, reason="says what is said where there is no GPU")
def test_without_a_gpu_auto_takes_the_builder_that_needs_none() -> None:
    assert choose_builder().__name__ == "tensorrt_rtx"


def test_an_unknown_builder_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean tensorrt"):
        choose_builder("tensorrtt")
