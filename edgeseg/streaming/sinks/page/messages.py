"""The words between page and browser.

To the browser: JSON texts {"kind": "look" | "status" | "answer", ...}, and for each frame one binary message:

    header's length, uint32 little-endian | header, JSON in UTF-8 | picture, JPEG | label map, zlib of uint8 [h, w]

From the browser: JSON texts, `Request`s. They are untrusted: anything else is a MalformedRequest.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

from edgeseg.core.bundle import Bundle

MAX_REQUEST = 64 * 1024
"""Bytes of one message from a browser."""


class MalformedRequest(ValueError):
    """A browser sent what is no request."""


@dataclass(frozen=True)
class Shown:
    """The frame of this number is on the viewer's screen, so that the next may be sent."""

    number: int


@dataclass(frozen=True)
class Switch:
    """Go on with this model and precision."""

    model: str
    precision: str


@dataclass(frozen=True)
class Record:
    """Begin a recording, or end it."""

    on: bool


@dataclass(frozen=True)
class Snapshot:
    """Keep the newest picture."""


Request = Shown | Switch | Record | Snapshot


def parse(text: str) -> Request:
    """Reads one message of a browser. Raises MalformedRequest."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("not JSON") from error
    match said:
        case {"kind": "shown", "number": int(number)} if len(said) == 2 and type(number) is int:
            return Shown(number)
        case {"kind": "switch", "model": str(model), "precision": str(precision)} if len(said) == 3:
            return Switch(model, precision)
        case {"kind": "record", "on": bool(on)} if len(said) == 2:
            return Record(on)
        case {"kind": "snapshot"} if len(said) == 1:
            return Snapshot()
    raise MalformedRequest("not a request")


def pack_frame(header: dict[str, Any], picture: bytes, labels: bytes) -> bytes:
    """Returns a frame's binary message; the header is given the lengths of both parts."""
    encoded = json.dumps({**header, "picture": len(picture), "labels": len(labels)}, separators=(",", ":")).encode()
    return b"".join((struct.pack("<I", len(encoded)), encoded, picture, labels))


def look_of(bundle: Bundle) -> str:
    """Returns the text that tells a browser how to colour and name what this model's label maps hold."""
    return json.dumps(
        {
            "kind": "look",
            "model": bundle.name,
            "task": bundle.task,
            "classes": bundle.classes,
            "palette": bundle.palette,
        }
    )
