"""On a GPU: the kernels compute what the CPU computes, and recorded work does again what it did; through both drivers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from edgeseg.core.catalog import open_bundle
from edgeseg.core.errors import EngineError
from edgeseg.runtime.gpu.cuda import Cuda
from edgeseg.vision.decode import decode
from tests.runtime.gpu import kernel_checks

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("size", [(384, 576), (256, 512), (500, 700), (31, 47)])
def test_a_street_frame_is_fitted_as_opencv_fits_it(cuda: Cuda, size: tuple[int, int]) -> None:
    image, _ = open_bundle("fast-scnn-street").golden()
    kernel_checks.check_fit(cuda, image, *size)


@pytest.mark.parametrize("size", [(720, 1280), (360, 480), (384, 576), (31, 47)])
def test_trained_logits_become_the_labels_that_the_cpu_gives(cuda: Cuda, size: tuple[int, int]) -> None:
    _, golden = open_bundle("fast-scnn-street").golden()
    ties = kernel_checks.check_label(cuda, golden["logits"][0], *size)
    assert ties <= 1e-5 * size[0] * size[1]


@pytest.mark.parametrize("seed", range(5))
def test_things_get_the_masks_that_the_cpu_gives(cuda: Cuda, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.integers(0, [[641], [361]], (20, 2, 2)), axis=2)
    windows = np.concatenate([corners[:, :, 0], corners[:, :, 1]], axis=1).astype(np.int64)
    prototypes, coefficients = rng.normal(size=(32, 45, 80)), rng.normal(size=(20, 32))
    kernel_checks.check_masks(cuda, prototypes.astype(np.float32), coefficients.astype(np.float32), windows, (360, 640))


def test_a_street_frame_is_painted_as_the_cpu_paints_it(cuda: Cuda) -> None:
    bundle = open_bundle("fast-scnn-street")
    image, golden = bundle.golden()
    labels = decode(golden["logits"][0], *image.shape[:2])
    kernel_checks.check_paint(cuda, image, labels, bundle.palette, 0.5)


def test_recorded_work_does_again_what_it_did_with_what_is_there_then(cuda: Cuda) -> None:
    with cuda.active(), ExitStack() as kept:
        stream = cuda.stream(kept)
        there = cuda.allocate(1 << 20, kept)
        source, target = (cuda.pinned((1 << 20,), np.uint8, kept) for _ in range(2))
        source[:] = 1

        def work() -> None:
            cuda.upload(there, source, stream)
            cuda.download(target, there, stream)

        replay = cuda.record(work, stream, kept)
        assert (target == 1).all()
        for value in (2, 3):
            source[:] = value
            replay()
            cuda.wait(stream)
            assert (target == value).all()


def test_any_thread_may_use_the_gpu(cuda: Cuda) -> None:
    image, _ = open_bundle("fast-scnn-street").golden()
    with ThreadPoolExecutor(2) as threads:
        for result in [threads.submit(kernel_checks.check_fit, cuda, image, 100, 200) for _ in range(4)]:
            result.result()


def test_too_much_memory_is_an_error_of_one_line(cuda: Cuda) -> None:
    with ExitStack() as kept, pytest.raises(EngineError, match="memory is used up") as caught, cuda.active():
        cuda.allocate(1 << 46, kept)
    assert "\n" not in str(caught.value)
