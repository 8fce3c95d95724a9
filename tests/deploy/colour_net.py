"""A network of five convolutions whose answer a person can predict: each 8x8 block's nearest colour; and pictures for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edgeseg.core.bundle import Bundle, write_bundle
from edgeseg.core.golden_frame import pack
from tests.conftest import CLASSES, COLOURS_BGR, HEIGHT, STRIDE, WIDTH, manifest

CHANNELS, PATCH = 8, 32
LAYERS = ("blocks", "mix", "spread", "gather", "answer")
VICTIM = "mix"
"""The layer that reads the planted channel."""


def graph(planted: float = 1.0, channels: int = CHANNELS) -> onnx.ModelProto:
    """Returns the network: block means of the three colours, three layers that hand them on, and the nearest colour.

    planted: the last channel of `blocks`, which matters little, is so many times as large, and `mix` undoes it.
    channels: of all layers between.
    """
    random = np.random.default_rng(7)
    square = (channels, channels, 1, 1)
    weights = {name: random.normal(0, 0.16 / channels, square) + _identity(channels) for name in LAYERS[1:4]}
    weights["blocks"] = np.zeros((channels, 3, STRIDE, STRIDE))
    for channel in range(channels):
        weights["blocks"][channel, channel % 3] = 1 / STRIDE**2
    scaled = COLOURS_BGR.astype(np.float64) / 255
    weights["answer"] = np.zeros((3, channels, 1, 1))
    weights["answer"][:, :3, 0, 0] = 2 * scaled
    weights["blocks"][-1] *= planted
    weights["mix"][:, -1] /= planted
    constants: dict[str, Any] = {f"{name}.weight": value.astype(np.float32) for name, value in weights.items()}
    constants |= {f"{name}.bias": np.zeros(len(weights[name]), np.float32) for name in LAYERS}
    constants["answer.bias"] = -np.square(scaled).sum(axis=1).astype(np.float32)
    constants["scale"] = np.float32(1 / 255)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], "planes", perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "scale"], ["seen"], "scale"),
    ]
    read = "seen"
    for name in LAYERS:
        given = "logits" if name == "answer" else f"{name}.out"
        strides = [STRIDE, STRIDE] if name == "blocks" else [1, 1]
        nodes.append(helper.make_node("Conv", [read, f"{name}.weight", f"{name}.bias"], [given], name, strides=strides))
        if name != "answer":
            nodes.append(helper.make_node("Relu", [given], [f"{name}.relu"], f"{name}.relu"))
        read = f"{name}.relu"
    made = helper.make_graph(
        nodes,
        "colour-net",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, HEIGHT // STRIDE, WIDTH // STRIDE])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def in_halves(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the network with its weights as FP16 before a Cast, as `edgeseg export` stores them."""
    casts: list[onnx.NodeProto] = []
    for stored in model.graph.initializer:
        if len(stored.dims) == 4:
            name, half = stored.name, numpy_helper.to_array(stored).astype(np.float16)
            stored.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return model


def write(folder: Path, planted: float = 1.0) -> Bundle:
    """Writes the bundle of the network."""
    return write_graph(folder, graph(planted))


def write_graph(folder: Path, network: onnx.ModelProto) -> Bundle:
    """Writes the bundle of a network that `graph` gave."""
    model, (image, _) = network.SerializeToString(), picture(0)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": image[None]})
    about = {**manifest(), "name": folder.name}
    return write_bundle(
        folder, about, {"model.fp32.onnx": model, "golden.npz": pack(image, {"logits": np.asarray(logits)})}
    )


def picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns an image, uint8 [64, 96, 3] BGR, of six patches in the three colours, not quite even, and its labels."""
    random = np.random.default_rng(seed)
    classes = random.permutation([0, 1, 2, *random.integers(0, 3, 3)]).reshape(HEIGHT // PATCH, WIDTH // PATCH)
    labels = np.kron(classes, np.ones((PATCH, PATCH))).astype(np.uint8)
    noisy = COLOURS_BGR[labels] + random.normal(0, 25, (HEIGHT, WIDTH, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


def write_data(root: Path, train: int = 40, val: int = 8) -> str:
    """Writes pictures in the layout of `folder:` and returns their address; without a `train` there is but one split."""
    (root / "classes.txt").parent.mkdir(parents=True, exist_ok=True)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    for split, seeds in (("train", range(train)), ("val", range(1000, 1000 + val))):
        for seed in seeds:
            image, labels = picture(seed)
            for kind, pixels in (("images", image), ("labels", labels)):
                (root / kind / split).mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(root / kind / split / f"{seed:04d}.png"), pixels)
    return f"folder:{root}"


def _identity(channels: int) -> np.ndarray:
    return np.eye(channels)[:, :, None, None]
