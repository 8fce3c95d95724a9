"""What the machine tells while something runs: load, clocks, temperature, throttling, power. What it does not tell is None."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from types import TracebackType

import numpy as np
import psutil

from edgeseg.profile.gpu_sensor import GpuSensor
from edgeseg.profile.rows import Load

PERIOD = 0.25
"""Seconds between two looks at the sensors."""

POWERCAP = Path("/sys/class/powercap")
THROTTLED = "cpu*/thermal_throttle/package_throttle_count"
CPUS = Path("/sys/devices/system/cpu")
I2C = Path("/sys/bus/i2c/drivers/ina3221")
MODULE_RAILS = ("VDD_IN", "POM_5V_IN")
"""What NVIDIA calls the rail of a whole Jetson module: since Xavier NX, and before."""


class LoadMeter:
    """with LoadMeter() as load: ...; then load.figures(frames)."""

    def __enter__(self) -> LoadMeter:
        self._gpu = GpuSensor()
        self._process = psutil.Process()
        self._clocks: list[float] = []
        self._temperatures: list[float] = []
        self._watts: list[float] = []
        self._gpu_percent: list[float] = []
        self._throttled = False
        self._joules, self._counts = package_joules(), throttle_count()
        self._busy, self._machine = _busy_seconds(self._process), psutil.cpu_times()
        self._began = time.monotonic()
        self._ended = self._began
        self._over = Event()
        self._watch = Thread(target=self._look_often, name="edgeseg-sensors", daemon=True)
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = time.monotonic()
        self._cpu_percent = 100 * (_busy_seconds(self._process) - self._busy) / max(1e-9, self._ended - self._began)
        self._machine_percent = _machine_percent(self._machine, psutil.cpu_times())
        joules, counts = package_joules(), throttle_count()
        self._spent = joules - self._joules if joules is not None and self._joules is not None else None
        if counts is not None and self._counts is not None:
            self._throttled = self._throttled or counts > self._counts
        self._over.set()
        self._watch.join()
        self._gpu.close()

    def figures(self, frames: int) -> Load:
        """Returns the figures; frames: how many were delivered meanwhile."""
        watts, watts_of = _mean(self._watts), "module" if module_watts() is not None else "GPU"
        if self._spent is not None and self._spent >= 0:
            watts, watts_of = self._spent / max(1e-9, self._ended - self._began), "package"
        joules = watts * (self._ended - self._began) / frames if watts is not None and frames else None
        tells = self._counts is not None or self._gpu.tells
        return {
            "cpu_percent": self._cpu_percent,
            "machine_percent": self._machine_percent,
            "clock_mhz": _mean(self._clocks),
            "temperature_c": max(self._temperatures, default=None),
            "throttled": self._throttled if tells else None,
            "power_w": watts,
            "power_of": watts_of if watts is not None else None,
            "joules_a_frame": joules,
            "gpu_percent": _mean(self._gpu_percent),
        }

    def _look_often(self) -> None:
        while True:
            self._look()
            if self._over.wait(PERIOD):
                return

    def _look(self) -> None:
        look = self._gpu.look()
        _add(self._clocks, clock_mhz())
        _add(self._temperatures, hottest_c())
        _add(self._temperatures, look.temperature_c)
        watts = module_watts()
        _add(self._watts, look.watts if watts is None else watts)
        _add(self._gpu_percent, look.percent)
        self._throttled = self._throttled or bool(look.throttled)


def clock_mhz() -> float | None:
    """Returns the mean clock of the cores; None where the machine does not tell, or a hypervisor tells a constant."""
    known = (CPUS / "cpu0" / "cpufreq").is_dir()
    clocks = psutil.cpu_freq() if known and hasattr(psutil, "cpu_freq") else None
    return float(clocks.current) if clocks else None


def hottest_c() -> float | None:
    """Returns the temperature of the hottest sensor, in degrees Celsius."""
    read: Callable[[], dict] | None = getattr(psutil, "sensors_temperatures", None)
    found = [sensor.current for sensors in (read() if read else {}).values() for sensor in sensors]
    return max((float(value) for value in found if value), default=None)


def package_joules() -> float | None:
    """Returns what the processor's packages used since some moment, by RAPL; None without it, or without the right to read."""
    total = 0.0
    zones = [zone for zone in POWERCAP.glob("intel-rapl:*") if zone.name.count(":") == 1]
    for zone in zones:
        value = _number(zone / "energy_uj")
        if value is None:
            return None
        total += value / 1e6
    return total if zones else None


def module_watts() -> float | None:
    """Returns what a Jetson's module draws, by its INA3221; None elsewhere."""
    for label in I2C.glob("*/hwmon/hwmon*/in*_label"):
        if _text(label) in MODULE_RAILS:
            rail = label.name.removeprefix("in").removesuffix("_label")
            volts, amperes = _number(label.with_name(f"in{rail}_input")), _number(label.with_name(f"curr{rail}_input"))
            if volts is not None and amperes is not None:
                return volts * amperes / 1e6
    return None


def throttle_count() -> int | None:
    """Returns how often the processor's packages throttled since the machine started; None where that is not counted."""
    counts = [_number(path) for path in CPUS.glob(THROTTLED)]
    known = [int(count) for count in counts if count is not None]
    return sum(known) if known else None


def _busy_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _machine_percent(before: tuple[float, ...], after: tuple[float, ...]) -> float | None:
    # Fields on Linux: user, nice, system, idle, ...; by name, since their order is another elsewhere.
    spent = {name: getattr(after, name) - getattr(before, name) for name in after._fields}  # type: ignore[attr-defined]
    # Guests' time stands in user's too.
    whole = sum(value for name, value in spent.items() if not name.startswith("guest"))
    idle = spent.get("idle", 0.0) + spent.get("iowait", 0.0)
    return 100 * (1 - idle / whole) if whole > 0 else None


def _add(values: list[float], value: float | None) -> None:
    if value is not None:
        values.append(value)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None
