"""What this machine can at most, measured through the very engines, and how near to that a network comes (Williams et al. 2009)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edgeseg.core.bundle import Bundle, write_bundle
from edgeseg.core.golden_frame import pack
from edgeseg.profile.network import count_network
from edgeseg.profile.rows import Network, Roofline
from edgeseg.runtime.choose import choose, open_engine
from edgeseg.runtime.cpu import usable_cores

CHANNELS, SIDE, LAYERS = 256, 48, 4
"""Of the convolutions: 5.4 GMACs whose weights and activations stay in a cache."""

SECONDS = 0.4
COPY_BYTES = 1 << 28


def measure_peak(engine: str, precision: str, threads: int, folder: Path) -> float:
    """Returns the most GFLOP/s that an engine reached on four large 3x3 convolutions in this precision (2 a MAC).

    folder: where the bundle of that network may be written. Raises EngineError where it can't be opened.
    """
    bundle = _convolutions(folder / "peak")
    macs = count_network(bundle.file(bundle.graphs["fp32"]), "fp32")["macs"]
    image = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    with open_engine(bundle, choose(bundle, engine, precision), threads) as opened:
        best, end = float("inf"), time.monotonic() + SECONDS
        while time.monotonic() < end:
            begin = time.perf_counter()
            opened.infer(image)
            best = min(best, time.perf_counter() - begin)
    return 2 * macs / best / 1e9


def measure_bandwidth() -> float:
    """Returns GB/s, read and written, of copies by all cores that are too large for most caches; the best of six."""
    cores = usable_cores()
    pieces = [np.ones(COPY_BYTES // cores // 8) for _ in range(2 * cores)]
    best = float("inf")
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(6):
            begin = time.perf_counter()
            list(pool.map(np.copyto, pieces[:cores], pieces[cores:]))
            best = min(best, time.perf_counter() - begin)
    return 2 * cores * pieces[0].nbytes / best / 1e9


def place(network: Network, engine_ms: float, peak_gflops: float, bandwidth_gbs: float) -> Roofline:
    """Returns how near to this machine's limits a network comes; engine_ms: the median of the engine alone."""
    gflops = 2 * network["macs"] / engine_ms / 1e6
    intensity, ridge = 2 * network["macs"] / max(1, network["bytes_moved"]), peak_gflops / bandwidth_gbs
    return {
        "gflops": gflops,
        "peak_gflops": peak_gflops,
        "peak_share": gflops / peak_gflops,
        "bandwidth_gbs": bandwidth_gbs,
        "intensity": intensity,
        "ridge": ridge,
        "limit_gflops": min(peak_gflops, intensity * bandwidth_gbs),
        "bound": "arithmetic" if intensity >= ridge else "memory",
    }


def _convolutions(folder: Path) -> Bundle:
    """Writes a bundle of nothing but large convolutions. Black gives zeros in any precision: that is its golden frame."""
    graphs = {precision: _graph(precision) for precision in ("fp32", "fp16", "int8")}
    golden = pack(np.zeros((SIDE, SIDE, 3), np.uint8), {"logits": np.zeros((1, CHANNELS, 1, 1), np.float32)})
    manifest = {
        "name": "peak",
        "task": "semantic",
        "architecture": "convolutions",
        "input": {"width": SIDE, "height": SIDE, "fit": "stretch"},
        "stride": SIDE,
        "classes": ["nothing"],
        "palette": [[0, 0, 0]],
        "ignore_id": 255,
        "graphs": {precision: f"model.{precision}.onnx" for precision in graphs},
        "metrics": [],
        "training": {},
        "terms": "none",
    }
    files = {f"model.{precision}.onnx": graph for precision, graph in graphs.items()}
    return write_bundle(folder, manifest, {**files, "golden.npz": golden})


def _graph(precision: str) -> bytes:
    """Returns the ONNX graph: image -> 256 channels -> convolutions -> their means; INT8 by explicit Q/DQ."""
    real = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("Cast", ["image"], ["real"], to=real),
        helper.make_node("Transpose", ["real"], ["planes"], perm=[0, 3, 1, 2]),
    ]
    constants: dict[str, np.ndarray] = {}
    last = "planes"
    for layer in range(LAYERS + 1):
        size = 1 if layer == 0 else 3
        inputs = 3 if layer == 0 else CHANNELS
        # Weights that keep the activations' size, from a byte's values on.
        spread = np.sqrt(2 / (inputs * size * size)) / (255 if layer == 0 else 1)
        weight = random.normal(0, spread, (CHANNELS, inputs, size, size))
        operands = (
            _quantized(nodes, constants, layer, last, weight, float(4.0 / 127))
            if precision == "int8" and layer
            else (last, f"weight{layer}")
        )
        if operands[1] == f"weight{layer}":
            constants[f"weight{layer}"] = weight.astype(helper.tensor_dtype_to_np_dtype(real))
        nodes.append(helper.make_node("Conv", list(operands), [f"conv{layer}"], pads=[size // 2] * 4))
        nodes.append(helper.make_node("Relu", [f"conv{layer}"], [f"out{layer}"]))
        last = f"out{layer}"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["means"]))
    nodes.append(helper.make_node("Cast", ["means"], ["logits"], to=TensorProto.FLOAT))
    graph = helper.make_graph(
        nodes,
        "peak",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CHANNELS, 1, 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _quantized(
    nodes: list[NodeProto],
    constants: dict[str, np.ndarray],
    layer: int,
    given: str,
    weight: np.ndarray,
    step: float,
) -> tuple[str, str]:
    """Adds a layer's Q/DQ pair of activations and its INT8 weights, one scale a channel; returns the operands' names."""
    scales = np.abs(weight).max(axis=(1, 2, 3)) / 127
    constants |= {
        f"step{layer}": np.float32(step).reshape(()),
        f"zero{layer}": np.int8(0).reshape(()),
        f"scale{layer}": scales.astype(np.float32),
        f"zeros{layer}": np.zeros(CHANNELS, np.int8),
        f"bytes{layer}": np.round(weight / scales[:, None, None, None]).astype(np.int8),
    }
    pair = [f"step{layer}", f"zero{layer}"]
    nodes += [
        helper.make_node("QuantizeLinear", [given, *pair], [f"q{layer}"]),
        helper.make_node("DequantizeLinear", [f"q{layer}", *pair], [f"dq{layer}"]),
        helper.make_node(
            "DequantizeLinear", [f"bytes{layer}", f"scale{layer}", f"zeros{layer}"], [f"dequantized{layer}"], axis=0
        ),
    ]
    return f"dq{layer}", f"dequantized{layer}"
