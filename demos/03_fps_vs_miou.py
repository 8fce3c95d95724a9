"""FPS (log) against accuracy of the models here, drawn in characters; capitals are those that no other beats in both.

python demos/03_fps_vs_miou.py [PROFILE.json] [OPTIONS of edgeseg profile, where that file is not there yet]
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from edgeseg.cli import main
from edgeseg.profile.budget import front
from edgeseg.profile.rows import read_rows

COLUMNS, LINES = 64, 14
QUICK = ["--data", "street:frames=6,seed=1", "--rounds", "1", "--seconds", "0.5"]


def draw(path: Path) -> None:
    """Prints the picture of a profile, and under it which letter is which row."""
    rows = [row for row in read_rows(path) if row["fps"] and row["accuracy"]["value"] is not None]
    points = [(math.log10(row["fps"] or 1), row["accuracy"]["value"] or 0.0) for row in rows]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    canvas = [[" "] * (COLUMNS + 1) for _ in range(LINES + 1)]
    best = {row["id"] for row in front(rows)}
    for letter, row, (x, y) in zip("abcdefghijklmnopqrstuvwxyz", rows, points, strict=False):
        sign = letter.upper() if row["id"] in best else letter
        canvas[round((high - y) / (high - low or 1) * LINES)][round((x - left) / (right - left or 1) * COLUMNS)] = sign
        print(f"{sign}  {row['id']:48} {row['fps']:6.1f} FPS  {row['accuracy']['metric']} {y:.3f}")
    print("\n".join("|" + "".join(line) for line in canvas), "+" + "-" * COLUMNS, sep="\n")
    print(f"{10**left:.0f} FPS".ljust(COLUMNS - 6) + f"{10**right:.0f} FPS")


if __name__ == "__main__":
    place, options = Path((sys.argv[1:] or ["profile.json"])[0]), sys.argv[2:]
    if not place.exists() and (status := main(["profile", *(options or QUICK), "--json", str(place)])):
        sys.exit(status)
    draw(place)
