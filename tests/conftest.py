"""What the tests share: a real bundle, small enough to be built on the spot, whose answers a person can predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgeseg.core.bundle import write_bundle
from edgeseg.core.golden_frame import pack

FullDisk = Callable[[int], AbstractContextManager[None]]
WIDTH, HEIGHT, STRIDE = 96, 64, 8
CLASSES = ("red", "green", "blue")
PALETTE = ((220, 40, 40), (40, 180, 60), (50, 80, 230))
COLOURS_BGR = np.array([[40, 40, 220], [60, 180, 40], [230, 80, 50]], dtype=np.float32)


def nearest_colour_graph(colours_bgr: np.ndarray) -> bytes:
    """Returns an ONNX graph by the bundle's contract that gives each 8x8 block the class of the nearest of three colours.

    The squared distance to a colour c is |x|^2 - 2 c.x + |c|^2; the first term is the same for all classes, so that
    the logit 2 c.x - |c|^2 is linear in the block's mean: one convolution of 8x8 with stride 8.
    """
    scaled = colours_bgr / 255
    weight = np.tile((2 * scaled / STRIDE**2)[:, :, None, None], (1, 1, STRIDE, STRIDE)).astype(np.float32)
    bias = -np.square(scaled).sum(axis=1).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "scale"], ["unit"]),
        helper.make_node("Conv", ["unit", "weight", "bias"], ["logits"], strides=[STRIDE, STRIDE]),
    ]
    constants = {"scale": np.float32(1 / 255), "weight": weight, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "nearest-colour",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, HEIGHT // STRIDE, WIDTH // STRIDE])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def manifest() -> dict[str, Any]:
    """Returns the manifest of the test bundle."""
    return {
        "name": "nearest-colour",
        "task": "semantic",
        "architecture": "nearest-colour",
        "input": {"width": WIDTH, "height": HEIGHT, "fit": "stretch"},
        "stride": STRIDE,
        "classes": list(CLASSES),
        "palette": [list(colour) for colour in PALETTE],
        "ignore_id": 255,
        "graphs": {"fp32": "model.fp32.onnx"},
        "metrics": [],
        "training": {"data": ["three colours"]},
        "terms": "none",
    }


def golden_frame(graph: bytes) -> bytes:
    """Returns golden.npz for a graph: three bars of colour that neither mirroring nor swapping leaves as they are."""
    image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    for bar, colour in enumerate(COLOURS_BGR):
        image[bar * 16 :, bar * 24 :] = colour
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": image[None]})
    return pack(image, {"logits": np.asarray(logits)})


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle that tells red, green and blue apart."""
    graph = nearest_colour_graph(COLOURS_BGR)
    folder = tmp_path_factory.mktemp("engines") / "nearest-colour"
    write_bundle(folder, manifest(), {"model.fp32.onnx": graph, "golden.npz": golden_frame(graph)})
    return folder


@pytest.fixture(scope="session")
def bars() -> np.ndarray:
    """A picture, uint8 [120, 180, 3] BGR: three upright bars, red, green and blue."""
    image = np.empty((120, 180, 3), dtype=np.uint8)
    for bar, colour in enumerate(COLOURS_BGR):
        image[:, bar * 60 : (bar + 1) * 60] = colour
    return image


@pytest.fixture
def full_disk() -> FullDisk:
    """with full_disk(size): no file grows beyond so many bytes; a write beyond it fails as on a full disk.

    The limit holds for the whole process, so for the test runner's own output too: print nothing inside.
    """
    resource = pytest.importorskip("resource")

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
