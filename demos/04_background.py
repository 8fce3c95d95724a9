"""What is behind is blurred, or gives way to a colour or a picture; the newest picture is written at the end.

python demos/04_background.py [SOURCE] [blur|COLOUR|FILE] [OUT.png] [MODEL] [CLASS,CLASS]
"""

from __future__ import annotations

import sys

import cv2

import edgeseg
from edgeseg.vision.background import Background

FRAMES = 90
DEFAULTS = ("street://?frames=90", "blur", "background.png", "fast-scnn-street", "car,pedestrian,bicyclist")


def main(source: str, behind: str, out: str, model: str, classes: str) -> None:
    """Plays so many frames. steady=True: the pictures are those of one stream, so that edges may be held still."""
    background = Background(behind, keep=classes.split(","), steady=True)
    picture, shown = None, 0
    with edgeseg.stream(source, model) as results:
        for result in results:
            picture = background(result.frame.image, result.masks)
            shown += 1
            if shown == FRAMES:
                break
    if picture is None:
        sys.exit(f"{source}: no frame came")
    cv2.imwrite(out, picture)
    print(f"{shown} frames; the newest is in {out}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*given, *DEFAULTS[len(given) :])
