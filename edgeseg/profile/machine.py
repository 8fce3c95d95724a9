"""What a profile ran on, for people to read."""

from __future__ import annotations

import platform
from importlib import metadata

import psutil

from edgeseg import __version__
from edgeseg.profile.gpu_sensor import GpuSensor
from edgeseg.profile.rows import Machine
from edgeseg.runtime.cpu import cpu_name, usable_cores

PACKAGES = {
    "av": ("av",),
    "numba": ("numba",),
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    "openvino": ("openvino",),
    "tensorrt": ("tensorrt",),
    "tensorrt_rtx": ("tensorrt-rtx",),
}
"""What a package is called in a profile -> the names that it may be installed by."""


def describe_machine() -> Machine:
    """Returns processor, memory, system, GPU, and the versions of what computes."""
    sensor = GpuSensor()
    gpu = sensor.name()
    sensor.close()
    found = {name: next(filter(None, map(_version, names)), None) for name, names in PACKAGES.items()}
    return {
        "processor": cpu_name(),
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "gpu": gpu,
        "versions": {"edgeseg": __version__, **{name: version for name, version in found.items() if version}},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
