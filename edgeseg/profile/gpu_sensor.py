"""What NVIDIA's driver tells of the first GPU, through NVML; nothing where there is no such GPU or no `pynvml`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any


@dataclass(frozen=True)
class Look:
    """One look at the GPU; None of what it does not tell."""

    temperature_c: float | None = None
    watts: float | None = None
    percent: float | None = None
    throttled: bool | None = None


class GpuSensor:
    """The first GPU's sensors. tells: whether there is one. Close it when done."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._device: Any = None
        if find_spec("pynvml") is None:
            return
        import pynvml

        try:
            pynvml.nvmlInit()
            self._device = pynvml.nvmlDeviceGetHandleByIndex(0)
        except pynvml.NVMLError:
            return
        self._nvml = pynvml

    @property
    def tells(self) -> bool:
        return self._nvml is not None

    def name(self) -> str | None:
        """Returns what the GPU is called, with its driver."""
        name, driver = self._ask("nvmlDeviceGetName"), None
        if self._nvml is not None:
            driver = self._nvml.nvmlSystemGetDriverVersion()
        return f"{name}, driver {driver}" if name else None

    def look(self) -> Look:
        """Reads the sensors."""
        if self._nvml is None:
            return Look()
        heat = self._ask("nvmlDeviceGetTemperature", self._nvml.NVML_TEMPERATURE_GPU)
        milliwatts, rates = self._ask("nvmlDeviceGetPowerUsage"), self._ask("nvmlDeviceGetUtilizationRates")
        reasons = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        slow = (
            self._nvml.nvmlClocksThrottleReasonSwThermalSlowdown
            | self._nvml.nvmlClocksThrottleReasonHwSlowdown
            | self._nvml.nvmlClocksThrottleReasonSwPowerCap
        )
        return Look(
            temperature_c=None if heat is None else float(heat),
            watts=None if milliwatts is None else milliwatts / 1000,
            percent=None if rates is None else float(rates.gpu),
            throttled=None if reasons is None else bool(reasons & slow),
        )

    def own_megabytes(self) -> float | None:
        """Returns what this process holds of the GPU's memory."""
        processes = self._ask("nvmlDeviceGetComputeRunningProcesses") or ()
        used = [process.usedGpuMemory for process in processes if process.pid == os.getpid() and process.usedGpuMemory]
        return sum(used) / 1e6 if used else None

    def close(self) -> None:
        if self._nvml is not None:
            self._nvml.nvmlShutdown()
            self._nvml = None

    def _ask(self, question: str, *more: Any) -> Any:
        """What the driver answers; None where this GPU does not know (a Jetson's knows little)."""
        if self._nvml is None:
            return None
        try:
            return getattr(self._nvml, question)(self._device, *more)
        except self._nvml.NVMLError:
            return None
