"""Parameters in an address: street://?seed=1&size=1280x720."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeseg.core.errors import UsageError


@dataclass(frozen=True)
class Number:
    """A parameter between two bounds, both allowed; a whole number where both bounds are ints."""

    default: float | None
    low: float
    high: float

    @property
    def form(self) -> str:
        return f"{self.low}..{self.high}"

    def read(self, text: str) -> float:
        """Returns an int or float. Raises ValueError for anything else, or out of bounds."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        value = int(text) if whole else float(text)
        if not self.low <= value <= self.high or math.isnan(value):
            raise ValueError
        return value


@dataclass(frozen=True)
class Size:
    """A width and height, such as 1280x720, each between two bounds."""

    default: tuple[int, int]
    low: tuple[int, int]
    high: tuple[int, int]

    @property
    def form(self) -> str:
        return f"{self.low[0]}x{self.low[1]}..{self.high[0]}x{self.high[1]}"

    def read(self, text: str) -> tuple[int, int]:
        """Returns (width, height). Raises ValueError for anything else, or out of bounds."""
        if not re.fullmatch(r"[0-9]{1,6}x[0-9]{1,6}", text):
            raise ValueError
        width, height = (int(part) for part in text.split("x"))
        if not (self.low[0] <= width <= self.high[0] and self.low[1] <= height <= self.high[1]):
            raise ValueError
        return width, height


def parse_query(scheme: str, query: str, allowed: Mapping[str, Number | Size]) -> dict[str, Any]:
    """Returns every allowed parameter with its value, given or default. Raises UsageError for what is not allowed."""
    values: dict[str, Any] = {name: parameter.default for name, parameter in allowed.items()}
    forms = ", ".join(f"{name}={parameter.form}" for name, parameter in allowed.items())
    for piece in filter(None, query.split("&")):
        name, _, text = piece.partition("=")
        if name not in allowed:
            raise UsageError(f"{scheme}:// has no parameter {name!r}: it takes {forms}")
        try:
            values[name] = allowed[name].read(text)
        except ValueError as error:
            raise UsageError(f"{scheme}://?{name}= takes {allowed[name].form}, not {text!r}") from error
    return values
