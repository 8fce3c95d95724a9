"""What `edgeseg doctor` says of NVIDIA: the GPU, TensorRT, and the engines that are kept in a bundle."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edgeseg.cli.finding import Finding, version_of

if TYPE_CHECKING:
    from edgeseg.core.bundle import Bundle
    from edgeseg.runtime.engine_file import Device, EngineKey, Examined

DISTRIBUTIONS = {
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
    "tensorrt_rtx": ("tensorrt-rtx", "tensorrt-rtx-cu13", "tensorrt-rtx-cu12"),
}
"""Import name -> the distributions that bring it."""


def gpu_findings() -> list[Finding]:
    """Returns a line for the GPU with its driver, one for TensorRT, and where both are, one for CUDA from Python."""
    from edgeseg.runtime.gpu.driver import find_gpu
    from edgeseg.runtime.gpu.tensorrt_package import install_line, installed_builders

    gpu, builders = find_gpu(), installed_builders()
    findings = [_gpu()]
    findings += [Finding(name, "ok", version_of(*DISTRIBUTIONS[name])) for name in builders]
    if not builders:
        remedy = install_line() if gpu else "none is needed without a GPU"
        findings.append(Finding("TensorRT", "missing", "not installed", remedy))
    if gpu and builders:
        there = find_spec("cuda") is not None or find_spec("pycuda") is not None
        remedy = "pip install cuda-bindings"
        findings.append(
            Finding("CUDA from Python", "ok", version_of("cuda-bindings", "pycuda"))
            if there
            else Finding("CUDA from Python", "missing", "neither cuda-bindings nor pycuda", remedy)
        )
    return findings


def _gpu() -> Finding:
    from edgeseg.runtime.gpu.driver import find_gpu
    from edgeseg.runtime.gpu.tensorrt_package import JETSON

    jetson = JETSON.read_text(errors="replace").splitlines()[0].strip("# ") if JETSON.is_file() else ""
    gpu = find_gpu()
    if gpu is not None:
        said = f"{gpu.name}, compute capability {gpu.compute_capability}, {gpu.memory / 1e9:.1f} GB"
        driver = f"driver {_driver()}(CUDA {gpu.cuda})"
        return Finding("GPU", "ok", "; ".join(filter(None, (said, driver, f"Jetson Linux {jetson}" if jetson else ""))))
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    if not cards and not jetson:
        return Finding("GPU", "missing", "no NVIDIA GPU", "none is needed: the CPU engines run everywhere")
    models = re.findall(r"^Model:\s*(.+?)\s*$", "\n".join(card.read_text() for card in cards), re.MULTILINE)
    said = ", ".join(models) or f"Jetson Linux {jetson}"
    remedy = (
        "in a container: docker run --gpus all (on a Jetson --runtime nvidia); else reboot after installing the driver"
    )
    return Finding("GPU", "missing", f"{said}, and no driver (libcuda) that answers for it", remedy)


def _driver() -> str:
    """Returns the driver's version and a space, "" where it does not say (a Jetson's does not)."""
    file = Path("/proc/driver/nvidia/version")
    found = (
        re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)\s", file.read_text(errors="replace")) if file.is_file() else None
    )
    return f"{found[1]} " if found else ""


def kept_engine_findings(bundle: Bundle) -> list[Finding]:
    """Returns a line for each engine that is kept in a bundle: it fits here, or which fields differ, and what to type."""
    from edgeseg.runtime.engine_file import FOLDER, kept_engines

    paths = kept_engines(bundle)
    if not paths:
        return []
    findings, devices = _devices()
    examined: list[tuple[Examined, EngineKey]] = []
    for path in paths:
        precision = path.name.partition("-")[0]
        if precision in bundle.graphs:
            examined.append(_examine(path, bundle, precision, devices))
        else:
            files = shlex.join(map(str, (path, path.with_suffix(".engine"))))
            said = f"the bundle has no {precision} graph"
            findings.append(Finding(f"{FOLDER}/{path.stem}", "missing", said, f"rm {files}"))
    fitting = {wanted.precision: one.path.stem for one, wanted in examined if one.engine is not None}
    return findings + [_kept(one, wanted, bundle, fitting.get(wanted.precision)) for one, wanted in examined]


def _devices() -> tuple[list[Finding], dict[str, Device]]:
    """Returns this machine as each TensorRT that is here sees it, and a line for each that does not load."""
    from edgeseg.core.errors import EngineError
    from edgeseg.runtime.engine_file import Device
    from edgeseg.runtime.gpu.tensorrt_package import installed_builders, load_builder

    findings: list[Finding] = []
    devices: dict[str, Device] = {}
    for name in installed_builders():
        try:
            devices[name] = Device.here(name, str(load_builder(name).__version__))
        except EngineError as error:
            findings.append(Finding(name, "broken", str(error)))
    return findings, devices


def _examine(path: Path, bundle: Bundle, precision: str, devices: dict[str, Device]) -> tuple[Examined, EngineKey]:
    """Holds an engine against what the TensorRT that built it needs here, or the preferred one where that is not here."""
    from edgeseg.core.errors import EngineError
    from edgeseg.runtime.engine_file import NONE, Device, EngineKey, examine, read

    try:
        builder = read(path).key.builder
    except EngineError:
        builder = ""
    here = devices.get(builder) or next(iter(devices.values()), Device.here(NONE, NONE))
    wanted = EngineKey.wanted(bundle, precision, here)
    return examine(path, wanted, bundle), wanted


def _kept(one: Examined, wanted: EngineKey, bundle: Bundle, fitting: str | None) -> Finding:
    from edgeseg.runtime.engine_file import FOLDER, NONE, build_command

    what = f"{FOLDER}/{one.path.stem}"
    if one.engine is not None:
        said = f"fits; by {one.engine.key.builder} {one.engine.key.builder_version}"
        return Finding(what, "ok", f"{said}; no GPU here to run it" if wanted.gpu == NONE else said)
    if one.fault:
        return Finding(what, "broken", one.fault, build_command(bundle, wanted))
    said = "; ".join(map(str, one.differences))
    if fitting:
        files = shlex.join(map(str, (one.path, one.path.with_suffix(".engine"))))
        return Finding(what, "missing", said, f"none is needed: {fitting} fits; rm {files} frees its place")
    return Finding(what, "missing", said, one.differences[0].command)
