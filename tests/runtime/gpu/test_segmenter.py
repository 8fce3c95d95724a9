"""The GPU's way from image to masks, on the CPU: the kernels compiled with g++, ONNX Runtime for a network.

All but CUDA and TensorRT themselves is what runs on a GPU: slots, tickets, buffers, tables, launches, recorded work.
"""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

import edgeseg
from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import UsageError
from edgeseg.runtime.gpu.segmenter import SLOTS, GpuInstanceSegmenter, GpuSemanticSegmenter
from edgeseg.runtime.instances import InstanceSegmenter
from edgeseg.runtime.ort import OnnxRuntimeEngine
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.vision.overlay import paint
from tests.runtime.coloured_halves import scene, write
from tests.runtime.gpu.host_cuda import HostCuda, HostEngine, compile_kernels

SIZES = [(120, 180), (64, 96), (99, 77)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory):
    return compile_kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def cuda(library) -> HostCuda:
    return HostCuda(library)


def cpu_engine(bundle: Bundle) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(bundle.file("model.fp32.onnx"), precision="fp32", threads=1, reason="a test")


def noise(size: tuple[int, int], seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((40, 40, 1), np.uint8))[: size[0], : size[1]]


@pytest.mark.parametrize("recordable", [True, False])
def test_labels_are_those_of_the_cpu_for_frames_of_changing_size(
    bundle_folder: Path, cuda: HostCuda, recordable: bool
) -> None:
    bundle = Bundle.open(bundle_folder)
    plain = SemanticSegmenter(bundle, cpu_engine(bundle))
    with GpuSemanticSegmenter(bundle, HostEngine(bundle, cuda, recordable)) as model:
        for seed, size in enumerate(SIZES * 2):
            image = noise(size, seed)
            np.testing.assert_array_equal(model(image).labels, plain(image).labels)


def test_things_are_those_of_the_cpu_for_frames_of_changing_size(tmp_path: Path, cuda: HostCuda) -> None:
    bundle = write(tmp_path / "coloured-halves")
    plain = InstanceSegmenter(bundle, cpu_engine(bundle))
    with GpuInstanceSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        for height, width in SIZES * 2:
            image = scene(width, height)
            ours, theirs = model(image), plain(image)
            assert len(ours) == 2
            np.testing.assert_array_equal(ours.masks, theirs.masks)
            np.testing.assert_array_equal(ours.boxes, theirs.boxes)
            np.testing.assert_array_equal(ours.scores, theirs.scores)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
        assert len(model(np.zeros((64, 96, 3), np.uint8))) == 0


def test_a_picture_is_painted_as_the_cpu_paints_it(bundle_folder: Path, cuda: HostCuda, bars: np.ndarray) -> None:
    bundle = Bundle.open(bundle_folder)
    with GpuSemanticSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        masks, picture = model.painted(bars, 0.4)
    np.testing.assert_array_equal(picture, paint(bars, masks.labels, bundle.palette, 0.4))


def test_three_frames_on_their_way_keep_their_own_results(bundle_folder: Path, cuda: HostCuda) -> None:
    bundle = Bundle.open(bundle_folder)
    plain = SemanticSegmenter(bundle, cpu_engine(bundle))
    images = [noise(SIZES[0], seed) for seed in range(SLOTS)]
    with GpuSemanticSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        launch, engine = (stage.run for stage in model.stages)
        for _ in range(2):
            tickets = [launch(image) for image in images]
            for image in reversed(images):
                np.testing.assert_array_equal(engine(tickets.pop()).labels, plain(image).labels)


def test_a_dropped_ticket_gives_its_slot_back(bundle_folder: Path, cuda: HostCuda, bars: np.ndarray) -> None:
    bundle = Bundle.open(bundle_folder)
    with GpuSemanticSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        expected = model(bars).labels
        for _ in range(3 * SLOTS):
            model.stages[0].run(noise(SIZES[1], 1))
        np.testing.assert_array_equal(model(bars).labels, expected)


def test_results_outlive_the_next_frames(bundle_folder: Path, cuda: HostCuda, bars: np.ndarray) -> None:
    bundle = Bundle.open(bundle_folder)
    with GpuSemanticSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        first = model(bars)
        kept = first.labels.copy()
        for seed in range(2 * SLOTS):
            model(noise(bars.shape[:2], seed))
    np.testing.assert_array_equal(first.labels, kept)


def test_masks_of_things_outlive_the_next_frames(tmp_path: Path, cuda: HostCuda) -> None:
    bundle = write(tmp_path / "coloured-halves")
    with GpuInstanceSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        first = model(scene(96, 64))
        kept = first.cutouts.whole()
        for step in range(2 * SLOTS):
            model(scene(96, 64, moved=0.03 * step))
    np.testing.assert_array_equal(first.cutouts.whole(), kept)


def test_the_loop_delivers_every_frame_of_a_file_in_order(
    bundle_folder: Path, cuda: HostCuda, tmp_path: Path, bars: np.ndarray
) -> None:
    import cv2

    for index in range(9):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.roll(bars, 20 * index, axis=1))
    bundle = Bundle.open(bundle_folder)
    plain = SemanticSegmenter(bundle, cpu_engine(bundle))
    with GpuSemanticSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        results = list(edgeseg.stream(str(tmp_path), model))
        assert [result.frame.index for result in results] == list(range(9))
        for result in results:
            np.testing.assert_array_equal(result.masks.of("red"), plain(result.frame.image).of("red"))
            assert set(result.timing.stage_ms) >= {"launch", "engine"}


@pytest.mark.parametrize("task", ["semantic", "instances"])
def test_closing_gives_all_of_the_gpu_back(task: str, bundle_folder: Path, tmp_path: Path, cuda: HostCuda) -> None:
    instances = task == "instances"
    bundle = write(tmp_path / "coloured-halves") if instances else Bundle.open(bundle_folder)
    kind = GpuInstanceSegmenter if instances else GpuSemanticSegmenter
    with kind(bundle, HostEngine(bundle, cuda)) as model:
        for height, width in SIZES:
            model(scene(width, height))
        model.stages[0].run(scene(64, 64))
        assert cuda.alive > 0
    gc.collect()
    assert cuda.alive == 0
    assert cuda.closed


def test_no_image_is_refused_and_costs_no_slot(bundle_folder: Path, cuda: HostCuda, bars: np.ndarray) -> None:
    bundle = Bundle.open(bundle_folder)
    with GpuSemanticSegmenter(bundle, HostEngine(bundle, cuda)) as model:
        for _ in range(2 * SLOTS):
            with pytest.raises(UsageError, match="uint8"):
                model(bars.astype(np.float32))  # type: ignore[arg-type]
        assert model(bars).labels.shape == bars.shape[:2]
