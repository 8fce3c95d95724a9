"""classes.txt: the names of a user's own classes, with colours where they care."""

from __future__ import annotations

import re
from pathlib import Path

from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import EdgesegError
from edgeseg.data.files import read_lines
from edgeseg.data.palette import Colour, distinct_colours

NUMBERS = re.compile(r"(?P<name>\S.*?)\s+(\d+)\s+(\d+)\s+(\d+)")
HEX = re.compile(r"(?P<name>\S.*?)\s+#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def read_class_list(path: Path) -> tuple[tuple[str, ...], tuple[Colour, ...]]:
    """Returns names and RGB colours by class id.

    The file holds one class a line, the first one's id is 0: `NAME`, `NAME R G B` (0..255) or `NAME #RRGGBB`. A class
    without a colour is given one far from all others. Raises EdgesegError that names file and line.
    """
    lines = read_lines(path, "write one class a line, id 0 first")
    if not 1 <= len(lines) <= IGNORE_ID:
        raise EdgesegError(f"{path}: {len(lines)} classes; write 1 to {IGNORE_ID}, one a line, id 0 first")
    classes = [_parsed(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    names = tuple(name for name, _ in classes)
    for number, name in enumerate(names):
        if name in names[:number]:
            raise EdgesegError(f"{path}, line {number + 1}: {name!r} stands in line {names.index(name) + 1} already")
    given = [colour for _, colour in classes if colour is not None]
    made = iter(distinct_colours(len(classes) - len(given), given))
    return names, tuple(next(made) if colour is None else colour for _, colour in classes)


def _parsed(line: str, where: str) -> tuple[str, Colour | None]:
    if not line:
        raise EdgesegError(f"{where}: empty, and the line's number is the class's id; write a name")
    for pattern, base in ((NUMBERS, 10), (HEX, 16)):
        if match := pattern.fullmatch(line):
            red, green, blue = (int(match[group], base) for group in (2, 3, 4))
            if max(red, green, blue) > 255:
                raise EdgesegError(f"{where}: colour {red} {green} {blue}; red, green and blue go from 0 to 255")
            return match["name"], (red, green, blue)
    return line, None
