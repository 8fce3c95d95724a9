"""The words between page and browser.

To the browser: JSON texts {"kind": "streams" | "look" | "status" | "answer", ...}, and for each frame one binary message:

    header's length, uint32 little-endian | header, JSON in UTF-8 | picture, JPEG | label map, zlib of uint8 [h, w]

From the browser: JSON texts, `Request`s. They are untrusted: anything else is a MalformedRequest. `stream` is the number of
one of the run's sources; a message that leaves it out means the first.
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
class Watch:
    """Send pictures of these streams alone. large: at their full size, not as tiles."""

    streams: tuple[int, ...]
    large: bool


@dataclass(frozen=True)
class Shown:
    """The frame of this number is on the viewer's screen, so that the next may be sent."""

    number: int
    stream: int = 0


@dataclass(frozen=True)
class Switch:
    """Go on with this model and precision, in every stream."""

    model: str
    precision: str


@dataclass(frozen=True)
class Record:
    """Begin a recording, or end it."""

    on: bool
    stream: int = 0


@dataclass(frozen=True)
class Snapshot:
    """Keep the newest picture."""

    stream: int = 0


Request = Watch | Shown | Switch | Record | Snapshot


def parse(text: str) -> Request:
    """Reads one message of a browser. Raises MalformedRequest."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest("not JSON") from error
    if not isinstance(said, dict):
        raise MalformedRequest("not an object")
    stream = said.pop("stream", 0)
    if type(stream) is not int:
        raise MalformedRequest("not the number of a stream")
    match said:
        case {"kind": "watch", "streams": list(streams), "large": bool(large)} if len(said) == 3:
            if all(type(each) is int for each in streams):
                return Watch(tuple(streams), large)
        case {"kind": "shown", "number": int(number)} if len(said) == 2 and type(number) is int:
            return Shown(number, stream)
        case {"kind": "switch", "model": str(model), "precision": str(precision)} if len(said) == 3:
            return Switch(model, precision)
        case {"kind": "record", "on": bool(on)} if len(said) == 2:
            return Record(on, stream)
        case {"kind": "snapshot"} if len(said) == 1:
            return Snapshot(stream)
    raise MalformedRequest("not a request")


def pack_frame(header: dict[str, Any], picture: bytes, labels: bytes) -> bytes:
    """Returns a frame's binary message; the header is given the lengths of both parts."""
    encoded = json.dumps({**header, "picture": len(picture), "labels": len(labels)}, separators=(",", ":")).encode()
    return b"".join((struct.pack("<I", len(encoded)), encoded, picture, labels))


def look_of(bundle: Bundle, stream: int) -> str:
    """Returns the text that tells a browser how to colour and name what this stream's label maps hold from now on."""
    return json.dumps(
        {
            "kind": "look",
            "stream": stream,
            "model": bundle.name,
            "task": bundle.task,
            "classes": bundle.classes,
            "palette": bundle.palette,
        }
    )
