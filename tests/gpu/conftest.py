"""What the tests of a machine with an NVIDIA GPU share. Where there is none, they are skipped and say so."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import open_bundle
from edgeseg.deploy.build import build, choose_builder, plan
from edgeseg.runtime.gpu.cuda import Cuda
from edgeseg.runtime.gpu.driver import find_gpu
from edgeseg.runtime.gpu.tensorrt_package import installed_builders


@pytest.fixture(autouse=True)
def gpu() -> None:
    """Skips where there is no GPU."""
    if find_gpu() is None:
        pytest.skip("there is no NVIDIA GPU here")


@pytest.fixture(params=["cuda.bindings", "pycuda"])
def cuda(request: pytest.FixtureRequest, gpu: None) -> Iterator[Cuda]:
    """The GPU, through each driver that is installed."""
    if request.param == "pycuda":
        pytest.importorskip("pycuda", reason="pycuda is not installed")
        from edgeseg.runtime.gpu.cuda_pycuda import PyCuda as Driver
    else:
        pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")
        from edgeseg.runtime.gpu.cuda_bindings import CudaBindings as Driver
    driver = Driver()
    yield driver
    driver.close()


class _Quiet:
    """A watcher of `edgeseg.deploy.build` that shows nothing."""

    def begin(self, phase: str, parent: str | None, steps: int) -> None: ...

    def step(self, phase: str, done: int) -> None: ...

    def end(self, phase: str) -> None: ...


def with_engine(bundle: Bundle, precision: str) -> Bundle:
    """Builds a bundle's engine of a precision with the TensorRT that is here."""
    if not installed_builders():
        pytest.skip("neither tensorrt nor tensorrt_rtx is installed")
    trt = choose_builder()
    build(bundle, plan(bundle, precision, trt), trt, _Quiet())
    return bundle


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A copy of a bundle that edgeseg ships, to build engines in."""
    folder = tmp_path_factory.mktemp("engines") / "fast-scnn-street"
    shutil.copytree(open_bundle("fast-scnn-street").path, folder, ignore=shutil.ignore_patterns("trt"))
    return Bundle.open(Path(folder))
