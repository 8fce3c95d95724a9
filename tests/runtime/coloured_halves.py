"""An instance bundle whose answers a person can predict: what is red, and what is blue, in each half of the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeseg.core.bundle import Bundle, write_bundle
from edgeseg.core.golden_frame import pack

WIDTH, HEIGHT, STRIDE = 96, 64, 4
ROWS, COLUMNS = HEIGHT // STRIDE, WIDTH // STRIDE
CLASSES = ("red", "blue")
PALETTE = ((220, 40, 40), (50, 80, 230))
RED, GREEN, BLUE = (0, 0, 255), (0, 255, 0), (255, 0, 0)
"""All BGR."""


def graph() -> bytes:
    """Returns an ONNX graph by the bundle's contract with two anchors, the halves, two kinds of thing, three prototypes.

    The prototypes are how red each 4x4 block is (0..1), how blue, and 1. A half's scores are its reddest block and its
    bluest; its coefficients the two scores and -0.5, so that its mask is what is red or blue in it.
    """
    weight = np.tile(np.array([[-1, -1, 1], [1, -1, -1]])[:, :, None, None], (1, 1, STRIDE, STRIDE)) / (255 * STRIDE**2)
    constants = {
        "weight": weight.astype(np.float32),
        "two_by_two": np.array([1, 2, 2]),
        "half": np.full((1, 2, 1), -0.5, np.float32),
        "one": np.ones((1, 1, ROWS, COLUMNS), np.float32),
        "halves": np.array([[[0, 0, 0.5, 1], [0.5, 0, 1, 1]]], np.float32),
    }
    pool: dict[str, Any] = {"kernel_shape": [ROWS, COLUMNS // 2], "strides": [ROWS, COLUMNS // 2]}
    nodes = [
        helper.make_node("Identity", ["halves"], ["boxes"]),
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weight"], ["leads"], strides=[STRIDE, STRIDE]),
        helper.make_node("Relu", ["leads"], ["colours"]),
        helper.make_node("MaxPool", ["colours"], ["most"], **pool),
        helper.make_node("Reshape", ["most", "two_by_two"], ["by_class"]),
        helper.make_node("Transpose", ["by_class"], ["scores"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["scores", "half"], ["coefficients"], axis=2),
        helper.make_node("Concat", ["colours", "one"], ["prototypes"], axis=1),
    ]
    shapes = {"boxes": [1, 2, 4], "scores": [1, 2, 2], "coefficients": [1, 2, 3], "prototypes": [1, 3, ROWS, COLUMNS]}
    made = helper.make_graph(
        nodes,
        "coloured-halves",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def scene(width: int, height: int, moved: float = 0.0) -> NDArray[np.uint8]:
    """Returns a picture, uint8 [height, width, 3] BGR: a red disc left, a blue one right, on green ground."""
    image = np.full((height, width, 3), GREEN, np.uint8)
    y, x = np.mgrid[:height, :width]
    for middle, colour in ((0.25 + moved, RED), (0.75 - moved, BLUE)):
        image[(x + 0.5 - middle * width) ** 2 + (y + 0.5 - height / 2) ** 2 <= (0.2 * height) ** 2] = colour
    return image


def manifest(**changes: Any) -> dict[str, Any]:
    """Returns the bundle's manifest."""
    return {
        "name": "coloured-halves",
        "task": "instances",
        "architecture": "coloured-halves",
        "input": {"width": WIDTH, "height": HEIGHT, "fit": "stretch"},
        "stride": STRIDE,
        "classes": list(CLASSES),
        "palette": [list(colour) for colour in PALETTE],
        "ignore_id": 255,
        "graphs": {"fp32": "model.fp32.onnx"},
        "metrics": [],
        "training": {"data": ["two colours"]},
        "terms": "none",
        **changes,
    }


def write(folder: Path, **changes: Any) -> Bundle:
    """Writes the bundle; changes: of its manifest."""
    model, image = graph(), scene(WIDTH, HEIGHT)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answer: dict[str, Any] = dict(zip(names, session.run(names, {"image": image[None]}), strict=True))
    files = {"model.fp32.onnx": model, "golden.npz": pack(image, answer)}
    return write_bundle(folder, manifest(**changes), files)
