"""On a GPU with TensorRT: engines built here answer as ONNX Runtime does, alone, as masks, and in the loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import edgeseg
from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import EngineError
from edgeseg.core.masks import SemanticMask
from edgeseg.runtime.engine_file import Device, find_engine
from edgeseg.runtime.golden import check_golden
from edgeseg.runtime.gpu.segmenter import SLOTS, GpuInstanceSegmenter, GpuSemanticSegmenter
from edgeseg.runtime.gpu.tensorrt import TensorRtEngine, open_tensorrt
from edgeseg.runtime.gpu.tensorrt_package import load_builder
from edgeseg.runtime.instances import InstanceSegmenter
from edgeseg.runtime.ort import OnnxRuntimeEngine
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.streaming.opening import open_source
from tests.gpu.conftest import with_engine
from tests.runtime.coloured_halves import scene, write

pytestmark = pytest.mark.gpu


def opened(bundle: Bundle, precision: str = "fp32") -> TensorRtEngine:
    return open_tensorrt(with_engine(bundle, precision), precision, "a test")


def reference(bundle: Bundle) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(bundle.graph("fp32"), precision="fp32", threads=2, reason="a test")


def street_frames(count: int) -> list[np.ndarray]:
    """Frames of the rendered street, uint8 [360, 640, 3] BGR."""
    with open_source(f"street://?size=640x360&seed=5&live=0&frames={count}") as source:
        return [frame.image for frame in source]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_golden_frame_comes_out_right(shipped: Bundle, precision: str) -> None:
    if precision not in shipped.graphs:
        pytest.skip(f"{shipped.name} ships no {precision} graph")
    with opened(shipped, precision) as engine:
        check_golden(engine, shipped)
        assert engine.info.precision == precision


def test_masks_are_those_of_onnx_runtime(shipped: Bundle) -> None:
    plain = SemanticSegmenter(shipped, reference(shipped))
    with GpuSemanticSegmenter(shipped, opened(shipped)) as model:
        for image in street_frames(4):
            assert np.mean(model(image).labels == plain(image).labels) >= 0.998


def test_frames_side_by_side_keep_their_own_results(shipped: Bundle) -> None:
    with GpuSemanticSegmenter(shipped, opened(shipped)) as model:
        images = street_frames(SLOTS)
        alone = [model(image).labels for image in images]
        launch, engine = (stage.run for stage in model.stages)
        for _ in range(20):
            tickets = [launch(image) for image in images]
            for expected in reversed(alone):
                np.testing.assert_array_equal(engine(tickets.pop()).labels, expected)


def test_frames_may_change_their_size(shipped: Bundle) -> None:
    plain = SemanticSegmenter(shipped, reference(shipped))
    (image,) = street_frames(1)
    with GpuSemanticSegmenter(shipped, opened(shipped)) as model:
        for _ in range(4):
            for part in (image, image[:, :500], np.ascontiguousarray(image[:300])):
                assert np.mean(model(part).labels == plain(part).labels) >= 0.998


def test_the_loop_closes_its_ledger(shipped: Bundle) -> None:
    with (
        GpuSemanticSegmenter(shipped, opened(shipped)) as model,
        edgeseg.stream("street://?size=640x360&seed=5", model) as stream,
    ):
        for count, result in enumerate(stream):
            assert isinstance(result.masks, SemanticMask)
            if count == 30:
                break
    assert stream.ledger.counts().in_flight == 0


def test_things_are_those_of_onnx_runtime(tmp_path: Path) -> None:
    bundle = write(tmp_path / "coloured-halves")
    plain = InstanceSegmenter(bundle, reference(bundle))
    with GpuInstanceSegmenter(bundle, opened(bundle)) as model:
        for width, height in ((180, 120), (96, 64), (77, 99)):
            ours, theirs = model(scene(width, height)), plain(scene(width, height))
            np.testing.assert_array_equal(ours.labels, theirs.labels)
            np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-5)
            assert np.mean(ours.masks == theirs.masks) >= 0.999


def test_an_engine_that_tensorrt_refuses_is_an_error_of_one_line(tmp_path: Path) -> None:
    bundle = write(tmp_path / "coloured-halves")
    opened(bundle).close()
    (path,) = (bundle.path / "trt").glob("*.engine")
    path.write_bytes(b"not an engine")
    with pytest.raises(EngineError) as caught:
        open_tensorrt(bundle, "fp32", "a test")
    assert "\n" not in str(caught.value)


def test_the_engine_found_is_the_one_built_here(shipped: Bundle) -> None:
    with opened(shipped) as engine:
        builder = next(name for name in engine.info.versions if name.startswith("tensorrt"))
        here = Device.here(builder, str(load_builder(builder).__version__))
    assert find_engine(shipped, "fp32", here).engine is not None
