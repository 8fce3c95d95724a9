"""What is left of a rate after minutes: machines that get warm slow down."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from edgeseg.profile.load import clock_mhz, hottest_c
from edgeseg.profile.rows import Sustained
from edgeseg.profile.timing import Reader
from edgeseg.runtime.stage import Segmenter
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.source import Source

WINDOWS = 60


def measure_sustained(
    segmenter: Segmenter, source: Source, seconds: float, progress: Callable[[float], object] = lambda seconds: None
) -> Sustained:
    """Plays the source to its end, which comes after `seconds`, and returns the rate in each sixtieth of that time.

    progress: called with the seconds that have passed.
    """
    reader, window = Reader(segmenter), seconds / WINDOWS
    counts, heat, clocks = [0], [hottest_c()], [clock_mhz()]
    begin = time.monotonic()
    with Stream(source, segmenter) as results:
        for result in results:
            reader.draw(result)
            reader.take(result.masks)
            passed = time.monotonic() - begin
            while passed >= len(counts) * window and len(counts) < WINDOWS:
                counts.append(0)
                heat.append(hottest_c())
                clocks.append(clock_mhz())
                progress(passed)
            counts[-1] += 1
    fps = [count / window for count in counts]
    tenth = max(1, len(fps) // 10)
    first, last = float(np.median(fps[:tenth])), float(np.median(fps[-tenth:]))
    return {
        "seconds": seconds,
        "window_s": window,
        "fps": fps,
        "temperature_c": heat,
        "clock_mhz": clocks,
        "drop": 1 - last / first if first else 0.0,
    }
