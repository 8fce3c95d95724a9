"""The newest mask of a camera, a clip or the built-in street: how much of the picture is road, and how old that is.

python demos/01_webcam.py [SOURCE] [SECONDS]
"""

from __future__ import annotations

import sys
import time

import edgeseg


def main(source: str, seconds: float) -> None:
    """Prints a line a second."""
    end = time.monotonic() + seconds
    shown = 0.0
    with edgeseg.stream(source) as results:
        for result in results:
            now = time.monotonic()
            if now - shown >= 1:
                shown = now
                road, dropped = result.masks.of("road").mean(), results.ledger.counts().dropped
                print(f"road {100 * road:.0f} %  age {result.age_ms:.0f} ms  dropped {dropped}")
            if now > end:
                break


if __name__ == "__main__":
    source, seconds = [*sys.argv[1:], *("street://", "10")[len(sys.argv) - 1 :]]
    main(source, float(seconds))
