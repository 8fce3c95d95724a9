"""Whether memory stays flat: resident set size over 20,000 frames of the loop, painting every result.

python benchmarks/memory.py [--frames 20000]
"""

from __future__ import annotations

import argparse

import psutil
from clips import FramesInMemory, rendered_frames

import edgeseg
from edgeseg.core.masks import SemanticMask
from edgeseg.streaming.meter import Meter
from edgeseg.vision.overlay import paint

SETTLED = 1000


def main() -> None:
    """Prints RSS at frame 1,000, at the end, and the highest between."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    options = parser.parse_args()
    process, readings, meter = psutil.Process(), [], Meter()
    with edgeseg.load() as model, edgeseg.stream(FramesInMemory(rendered_frames(30), options.frames), model) as results:
        for result in results:
            assert isinstance(result.masks, SemanticMask)
            meter.add(result)
            paint(result.frame.image, result.masks.labels, model.bundle.palette)
            if result.frame.index >= SETTLED and result.frame.index % 100 == 0:
                readings.append(process.memory_info().rss / 1e6)
    counts = results.ledger.counts()
    print(
        f"{counts.delivered} frames, RSS {readings[0]:.1f} MB at frame {SETTLED}, {readings[-1]:.1f} MB at the end, "
        f"highest {max(readings):.1f} MB: growth {readings[-1] - readings[0]:+.1f} MB"
    )


if __name__ == "__main__":
    main()
