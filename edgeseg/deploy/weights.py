"""Weights are stored once in a bundle: the FP16 and the INT8 graph read them out of the FP32 graph's file.

They are ONNX external data (onnx.ai, "External Data"): a file's name beside the graph, an offset and a length.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgeseg.core.bundle import Bundle
from edgeseg.deploy.graph import FLOAT

LEAST = 256
"""Bytes; what says where fewer lie takes as many itself."""


def shared(model: onnx.ModelProto, bundle: Bundle) -> onnx.ModelProto:
    """Returns the graph with all larger constants that the file of the bundle's FP32 graph holds read from there.

    A constant is there when its bytes are, wherever: so it is right by construction. One in FP32 may be there in FP16, and is
    cast, as the FP32 graph itself does. What isn't there at all stays in the graph.
    """
    result = onnx.ModelProto.FromString(model.SerializeToString())
    file, content = bundle.graphs["fp32"], bundle.graph("fp32").read_bytes()
    casts: list[onnx.NodeProto] = []
    for constant in result.graph.initializer:
        values = numpy_helper.to_array(constant)
        if _refer(constant, values, file, content) or constant.data_type != FLOAT:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        name, stored = constant.name, numpy_helper.from_array(half, f"{constant.name}.half")
        if np.array_equal(half.astype(np.float32), values) and _refer(stored, half, file, content):
            constant.CopyFrom(stored)
            casts.append(onnx.helper.make_node("Cast", [stored.name], [name], f"{name}.cast", to=FLOAT))
    nodes = [*casts, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


@contextmanager
def beside_weights(bundle: Bundle, graphs: Mapping[str, bytes]) -> Iterator[dict[str, Path]]:
    """Gives graphs, by precision, as files beside a copy of the file that `shared` graphs read, as they will be in the bundle.

    A copy, since engines follow no link out of a graph's folder. All is gone afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(bundle.graph("fp32"), Path(folder, bundle.graphs["fp32"]))
        paths = {precision: Path(folder, f"model.{precision}.onnx") for precision in graphs}
        for precision, path in paths.items():
            path.write_bytes(graphs[precision])
        yield paths


def _refer(constant: onnx.TensorProto, values: NDArray[np.generic], file: str, content: bytes) -> bool:
    """Lets the constant be read from the file, where it is large and there. Returns whether it was."""
    raw = values.tobytes()
    offset = content.find(raw) if len(raw) >= LEAST else -1
    if offset < 0:
        return False
    constant.CopyFrom(onnx.TensorProto(name=constant.name, data_type=constant.data_type, dims=constant.dims))
    constant.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": file, "offset": offset, "length": len(raw)}.items():
        constant.external_data.add(key=key, value=str(value))
    return True
