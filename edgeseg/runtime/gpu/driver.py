"""Which NVIDIA GPU is here, asked of the driver alone: no package is needed, and no context is made."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# CUdevice_attribute of cuda.h
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76


@dataclass(frozen=True)
class Gpu:
    """The first GPU. compute_capability: "8.6". memory: bytes. cuda: the newest CUDA that its driver runs, "12.6"."""

    name: str
    compute_capability: str
    memory: int
    cuda: str


def find_gpu() -> Gpu | None:
    """Returns the first NVIDIA GPU that the driver gives this process (CUDA_VISIBLE_DEVICES counts), or None."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    count, device, major, minor, version = (ctypes.c_int() for _ in range(5))
    memory, name = ctypes.c_size_t(), ctypes.create_string_buffer(256)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value < 1:
        return None
    answers = (
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDeviceGetName(name, len(name), device),
        driver.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device),
        driver.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device),
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device),
        driver.cuDriverGetVersion(ctypes.byref(version)),
    )
    if any(answers):
        return None
    return Gpu(
        name=name.value.decode(errors="replace"),
        compute_capability=f"{major.value}.{minor.value}",
        memory=memory.value,
        cuda=f"{version.value // 1000}.{version.value % 1000 // 10}",
    )
