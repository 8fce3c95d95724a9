"""Which TensorRT is installed: NVIDIA's `tensorrt`, or `tensorrt_rtx` for desktop GPUs. Neither is imported to know it."""

from __future__ import annotations

import importlib
import platform
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from edgeseg.core.errors import EngineError, MissingPackageError

BUILDERS = ("tensorrt", "tensorrt_rtx")
"""Import names, the one to be preferred first: what `tensorrt` builds was timed on the very GPU that will run it."""

JETSON = Path("/etc/nv_tegra_release")
"""The file by which a Jetson is known; its first line names the release of Jetson Linux."""


def installed_builders() -> tuple[str, ...]:
    """Returns the names of `BUILDERS` that are installed, the preferred one first."""
    return tuple(name for name in BUILDERS if find_spec(name) is not None)


def load_builder(name: str) -> ModuleType:
    """Imports one of `BUILDERS`. Raises MissingPackageError with the line that installs it here, or EngineError."""
    if find_spec(name) is None:
        raise MissingPackageError(f"{name} is not installed: {install_line(name)}")
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise EngineError(
            f"{name} is installed and does not load ({error}): install it anew: {install_line(name)}"
        ) from error


def install_line(name: str = "tensorrt") -> str:
    """Returns the command that brings a TensorRT to this machine."""
    if JETSON.is_file():
        # JetPack's own is the only one that is built for a Jetson's GPU.
        return "sudo apt install nvidia-jetpack, in an environment of python3 -m venv --system-site-packages"
    x86 = platform.machine().lower() in {"x86_64", "amd64"}
    if name == "tensorrt_rtx" and x86:
        return "pip install tensorrt-rtx"
    return "pip install tensorrt (or, for a desktop GPU: pip install tensorrt-rtx)" if x86 else "pip install tensorrt"
