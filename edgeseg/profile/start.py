"""How long a fresh process takes to its first mask, and what memory it then holds.

`python -m edgeseg.profile.start BUNDLE ENGINE PRECISION THREADS BEGAN_NS` is that process; `measure_start` begins it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from edgeseg.core.errors import EngineError
from edgeseg.profile.rows import Start

FRAMES = 20
"""After so many frames memory is asked for."""

SIZE = (1280, 720)


def measure_start(bundle: Path, engine: str, precision: str, threads: int) -> Start:
    """Begins a fresh process that opens the bundle and answers one frame. Raises EngineError where it fails."""
    package = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
    began = time.time_ns()
    command = [sys.executable, "-m", __name__, str(bundle), engine, precision, str(threads), str(began)]
    answer = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    if answer.returncode:
        said = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise EngineError(f"{bundle} on {engine} {precision} can't be started in a process of its own: {said}")
    return json.loads(answer.stdout)


def main(bundle: str, engine: str, precision: str, threads: str, began_ns: str) -> None:
    """Starts as a program would, and prints the figures as JSON."""
    began = int(began_ns)
    import numpy as np
    import psutil

    from edgeseg.profile.gpu_sensor import GpuSensor
    from edgeseg.runtime.segmenter import load

    process = psutil.Process()
    imported, before = time.time_ns(), process.memory_info().rss
    with load(bundle, engine=engine, precision=precision, threads=int(threads)) as segmenter:
        opened = time.time_ns()
        image = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        drawn = time.time_ns()
        segmenter(image)
        first = time.time_ns() - (drawn - opened)
        peak = process.memory_info().rss
        for _ in range(FRAMES):
            segmenter(image)
            peak = max(peak, process.memory_info().rss)
        sensor = GpuSensor()
        figures: Start = {
            "import_s": (imported - began) / 1e9,
            "open_s": (opened - imported) / 1e9,
            "first_mask_s": (first - began) / 1e9,
            "rss_mb": process.memory_info().rss / 1e6,
            "rss_peak_mb": peak / 1e6,
            "rss_before_mb": before / 1e6,
            "gpu_mb": sensor.own_megabytes(),
        }
        sensor.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
