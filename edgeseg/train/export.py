"""From a checkpoint to a bundle: the ONNX graph, held to PyTorch's answer, and the golden frame for engines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from edgeseg.core.bundle import GOLDEN, write_bundle
from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.core.golden_frame import pack
from edgeseg.models import INSTANCE_MODELS, build_model
from edgeseg.models.layers import SegmentationNetwork
from edgeseg.models.yolact import DeployedYolact, Yolact
from edgeseg.synthetic import Street
from edgeseg.train.checkpoint import About, load_weights, read_about
from edgeseg.train.graph import OPSET, Deployed, DeployedInstances, store_halves, to_onnx, version
from edgeseg.train.normalise import Normalise

GRAPH = "model.fp32.onnx"
LARGEST_ERROR = 1e-3
"""How far an output of the graph may lie from PyTorch's, as a share of the largest one, before weights are rounded."""
ROUNDING = 0.01
"""How far rounding the weights to halves may move an output (root mean square), as a share of its standard deviation."""
SMALLEST, LARGEST, MULTIPLE = 32, 4096, 32
"""Sides of an input, in pixels. Label maps are of inputs whose sides are whole multiples of the coarsest stride."""
_GOLDEN_SEED, _GOLDEN_INDEX = 1, 240
GOLDEN_DETAIL = 320

Outputs = dict[str, NDArray[np.float32]]


def export(
    checkpoint: Path,
    out: Path,
    *,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    training: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the bundle of a checkpoint to the folder `out` and returns it.

    name: how users call it; the folder's name if None. size: the input's width and height, that of the training if None.
    metrics: added to those that the checkpoint carries, of which none holds for another size. training: fields that replace
    or add to the checkpoint's own.
    Raises EdgesegError where the graph does not compute what the network does, UsageError for a size that the network can't
    have, BundleError for an `out` that can't be.
    """
    about, network, deployed = opened(checkpoint, size)
    title = name or out.resolve().name
    image = golden_image(about.input_size)
    whole = to_onnx(deployed, about, title)
    checked_outputs(whole, network, image)
    graph, outputs, errors = _with_halves(whole, network, image)
    manifest = {
        "name": title,
        "task": deployed.task,
        "architecture": about.model,
        "input": {"width": about.input_size[0], "height": about.input_size[1], "fit": "stretch"},
        "stride": network.stride,
        "classes": about.classes,
        "palette": about.palette,
        "ignore_id": IGNORE_ID,
        "graphs": {"fp32": GRAPH},
        "metrics": [*about.metrics, *metrics],
        "training": {**about.training, **(training or {})},
        "terms": about.terms,
        "export": {"opset": OPSET, "edgeseg": version(), "torch": torch.__version__, "off_pytorch": errors},
    }
    return write_bundle(out, manifest, {GRAPH: graph, GOLDEN: pack(image, outputs)}).path


def opened(
    checkpoint: Path, size: tuple[int, int] | None = None
) -> tuple[About, SegmentationNetwork | Yolact, Deployed]:
    """Returns what a checkpoint says of itself, its network, and that as it is deployed. size, errors: as in `export`."""
    about = read_about(checkpoint)
    if size is not None and size != about.input_size:
        _check_size(size, about.model)
        about = dataclasses.replace(about, input_size=size, metrics=())
    network = rebuilt(checkpoint, about)
    return about, network, DeployedInstances(network) if isinstance(network, Yolact) else Deployed(network)


def rebuilt(checkpoint: Path, about: About) -> SegmentationNetwork | Yolact:
    """Returns the network of a checkpoint with its weights, for inference. Raises EdgesegError."""
    options = {"size": about.input_size[0]} if about.model in INSTANCE_MODELS else {}
    network = build_model(about.model, len(about.classes), **options)
    load_weights(checkpoint, network)
    return network.eval()


def golden_image(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns uint8 [H, W, 3] BGR of `size` (width, height): a rendered street, with detail for 320 columns at most, which
    halves the space that it takes."""
    columns = min(size[0], GOLDEN_DETAIL)
    small = cv2.resize(_golden_frame(), (columns, size[1] * columns // size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)


@lru_cache(maxsize=1)
def _golden_frame() -> NDArray[np.uint8]:
    # Building the street takes longer than all else that export does.
    return Street(_GOLDEN_SEED, 1280, 720, 30.0).render(_GOLDEN_INDEX).image


@torch.inference_mode()
def reference_outputs(network: SegmentationNetwork | Yolact, image: NDArray[np.uint8]) -> Outputs:
    """Returns what PyTorch answers to `image`, uint8 [H, W, 3] BGR, by the graph's output names."""
    seen = Normalise()(torch.from_numpy(image)[None])
    if isinstance(network, Yolact):
        answers = DeployedYolact(network)(seen)
        return {name: value.numpy() for name, value in zip(DeployedInstances.outputs, answers, strict=True)}
    return {Deployed.outputs[0]: network(seen).numpy()}


def answers(graph: bytes, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Returns what a graph answers to images, uint8 [N, H, W, 3] BGR, by output name."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(value) for name, value in zip(names, session.run(names, {"image": images}), strict=True)}


def checked_outputs(graph: bytes, network: SegmentationNetwork | Yolact, image: NDArray[np.uint8]) -> Outputs:
    """Returns what the graph answers to `image`, uint8 [H, W, 3] BGR. Raises EdgesegError where PyTorch's answer is another."""
    outputs = answers(graph, image[None])
    for name, error in errors_of(outputs, reference_outputs(network, image)).items():
        if not error["relative"] <= LARGEST_ERROR:
            raise EdgesegError(
                f"the exported graph's {name} are {error['relative']:.1e} off PyTorch's on the golden frame (at most "
                f"{LARGEST_ERROR:.0e}); this export of the network is wrong, and no bundle was written"
            )
    return outputs


def errors_of(outputs: Outputs, expected: Outputs) -> dict[str, dict[str, float]]:
    """Returns, by output: largest, the largest difference; relative, the same as a share of the largest value expected;
    rms, the root of the mean square difference, as a share of the standard deviation expected."""
    return {name: _error(outputs[name], values) for name, values in expected.items()}


def _error(values: NDArray[np.float32], expected: NDArray[np.float32]) -> dict[str, float]:
    off = np.abs(values.astype(np.float64) - expected)
    largest, square = float(off.max()), float(np.square(off).mean())
    return {
        "largest": largest,
        "relative": largest / max(float(np.abs(expected).max()), 1e-6),
        "rms": square**0.5 / max(float(expected.std()), 1e-6),
    }


def _with_halves(
    whole: bytes, network: SegmentationNetwork | Yolact, image: NDArray[np.uint8]
) -> tuple[bytes, Outputs, dict[str, dict[str, float]]]:
    """Returns the graph with its weights in halves, or as it was where that costs too much; its outputs; their errors."""
    expected = reference_outputs(network, image)
    for graph in (store_halves(whole), whole):
        outputs = answers(graph, image[None])
        errors = errors_of(outputs, expected)
        # A weight beyond what a half can hold makes outputs that are no numbers, and so a comparison that fails.
        if all(error["rms"] <= ROUNDING for error in errors.values()):
            break
    return graph, outputs, errors


def _check_size(size: tuple[int, int], model: str) -> None:
    """Raises UsageError for an input size (width, height) that the network can't have."""
    width, height = size
    said = f"--input-size {width} {height}"
    if not SMALLEST <= min(size) <= max(size) <= LARGEST:
        raise UsageError(f"{said}: sides are {SMALLEST} to {LARGEST} pixels")
    if model in INSTANCE_MODELS and width != height:
        raise UsageError(f"{said}: {model} sees squares: give one number twice")
    if model not in INSTANCE_MODELS and (width % MULTIPLE or height % MULTIPLE):
        raise UsageError(f"{said}: {model} takes multiples of {MULTIPLE}")
