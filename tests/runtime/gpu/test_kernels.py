"""The kernels that a GPU runs, compiled for the CPU: what they compute is what edgeseg/vision computes, on every pixel."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.core.catalog import open_bundle
from edgeseg.runtime.gpu.cuda import KERNELS
from edgeseg.vision.decode import decode
from tests.runtime.gpu import kernel_checks
from tests.runtime.gpu.host_cuda import HostCuda, compile_kernels


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> HostCuda:
    return HostCuda(compile_kernels(tmp_path_factory.mktemp("kernels")))


@pytest.fixture(scope="module")
def street() -> tuple[np.ndarray, np.ndarray]:
    """A rendered frame of the street, uint8 [384, 576, 3] BGR, and what a trained network says of it, [11, 48, 72]."""
    image, golden = open_bundle("fast-scnn-street").golden()
    return image, golden["logits"][0]


@pytest.mark.parametrize("size", [(384, 576), (256, 512), (192, 288), (500, 700)])
def test_a_street_frame_is_fitted_as_opencv_fits_it(
    host: HostCuda, street: tuple[np.ndarray, np.ndarray], size: tuple[int, int]
) -> None:
    kernel_checks.check_fit(host, street[0], *size)


@settings(max_examples=60, deadline=None)
@given(size=st.tuples(*[st.integers(1, 90)] * 4), seed=st.integers(0, 9))
def test_any_picture_is_fitted_to_any_size(host: HostCuda, size: tuple[int, int, int, int], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (*size[:2], 3), dtype=np.uint8)
    kernel_checks.check_fit(host, image, *size[2:])


@pytest.mark.parametrize("size", [(720, 1280), (360, 480), (384, 576), (31, 47)])
def test_trained_logits_become_the_labels_that_the_cpu_gives(
    host: HostCuda, street: tuple[np.ndarray, np.ndarray], size: tuple[int, int]
) -> None:
    ties = kernel_checks.check_label(host, street[1], *size)
    assert ties <= 1e-5 * size[0] * size[1]


@settings(max_examples=60, deadline=None)
@given(
    logits=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=st.floats(-10, 10, width=32)
    ),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
)
def test_any_logits_become_the_labels_that_the_cpu_gives(
    host: HostCuda, logits: np.ndarray, size: tuple[int, int]
) -> None:
    kernel_checks.check_label(host, logits, *size)


@settings(max_examples=40, deadline=None)
@given(
    grid=st.tuples(st.integers(1, 8), st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(2, 80), st.integers(2, 80)),
    seed=st.integers(0, 99),
)
def test_any_things_get_the_masks_that_the_cpu_gives(
    host: HostCuda, grid: tuple[int, int, int], size: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.integers(0, np.array(size)[::-1, None] + 1, (5, 2, 2)), axis=2)
    windows = np.concatenate([corners[:, :, 0], corners[:, :, 1]], axis=1).astype(np.int64)
    windows[0] = 0, 0, size[1], size[0]
    prototypes = rng.normal(size=grid).astype(np.float32)
    coefficients = rng.normal(size=(5, grid[0])).astype(np.float32)
    kernel_checks.check_masks(host, prototypes, coefficients, windows, size)


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
def test_a_street_frame_is_painted_as_the_cpu_paints_it(
    host: HostCuda, street: tuple[np.ndarray, np.ndarray], opacity: float
) -> None:
    image, logits = street
    palette = open_bundle("fast-scnn-street").palette
    kernel_checks.check_paint(host, image, decode(logits, *image.shape[:2]), palette, opacity)


@pytest.mark.parametrize("architecture", ["sm_75", "sm_120"])
def test_nvcc_compiles_the_kernels_for_gpus_old_and_new(architecture: str, tmp_path: Path) -> None:
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not installed")
    made = tmp_path / "kernels.ptx"
    subprocess.run(["nvcc", "--fmad=false", "-ptx", f"-arch={architecture}", str(KERNELS), "-o", str(made)], check=True)
    text = made.read_text()
    assert all(f".entry {kernel}(" in text for kernel in ("fit", "label", "combine", "assemble", "paint"))
    assert "fma.rn.f32" not in text
