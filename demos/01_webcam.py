"""The newest mask of a camera, a clip or the built-in street: how much of the picture is road, and how old that is.

    python demos/01_webcam.py [SOURCE] [SECONDS]
"""

from __future__ import annotations

import sys
import time

import edgeseg


def main(source: str = "street://", seconds: float = 10.0) -> None:
    """Prints a line a second."""
    end = time.monotonic() + seconds
    shown = 0.0
    with edgeseg.stream(source) as results:
        for result in results:
            now = time.monotonic()
            if now - shown >= 1:
                shown = now
                road = result.masks.of("road").mean()
                counts = results.ledger.counts()
                print(f"road {100 * road:.0f} %  age {result.age_ms:.0f} ms  {counts.delivered} delivered, {counts.dropped} dropped")
            if now > end:
                break


if __name__ == "__main__":
    main(*sys.argv[1:2], *(float(word) for word in sys.argv[2:3]))
