"""Which way out of the process a URI means."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import UsageError
from edgeseg.streaming.health import Vitals
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.publish.publisher import Channel, Publisher

FORMS = (
    "ros2://TOPIC, zenoh://KEY, shm://NAME, foxglove://[HOST:PORT], "
    "each with ?size=WIDTHxHEIGHT or ?size=network for other than the frame's own"
)
OPTIONS = {"ros2": ("size", "frame_id"), "zenoh": ("size", "connect"), "shm": ("size",), "foxglove": ("size",)}
"""scheme -> what may stand behind its ?"""

LARGEST_SIDE = 16384


def open_publisher(
    uri: str,
    bundle: Bundle,
    source: str,
    vitals: Vitals,
    say: Callable[[str], None],
    names: Sequence[str] | None = None,
) -> Publisher:
    """Opens the way out that a URI means (`FORMS`), with a thread that serves it.

    source: the address of the frames. names: the classes that leave, None for all. say: takes a line for people.
    Raises UsageError for a malformed URI, SinkError where it can't be opened, ModuleNotFoundError for a missing extra.
    """
    scheme, place, options = _parsed(uri)
    outbox = Outbox(bundle, names, _size_of(uri, options.pop("size", None), bundle))
    return Publisher(_channel(scheme, place, options, bundle, source), outbox, vitals, say)


def open_recorder(
    path: Path,
    bundle: Bundle,
    vitals: Vitals,
    say: Callable[[str], None],
    names: Sequence[str] | None = None,
    *,
    live: bool,
) -> Publisher:
    """Opens a recording. live: the newest frame wins; else every frame is recorded, and the loop waits for it."""
    from edgeseg.streaming.sinks.mcap import McapChannel

    return Publisher(McapChannel(path, bundle), Outbox(bundle, names), vitals, say, newest_wins=live)


def _channel(scheme: str, place: str, options: dict[str, str], bundle: Bundle, source: str) -> Channel:
    match scheme:
        case "shm":
            from edgeseg.streaming.publish.shm import ShmChannel

            return ShmChannel(place, bundle.classes)
        case "ros2":
            from edgeseg.streaming.publish.ros2 import Ros2Channel

            return Ros2Channel(place, bundle, source, **options)
        case "zenoh":
            from edgeseg.streaming.publish.zenoh import ZenohChannel

            return ZenohChannel(place, bundle.classes, **options)
        case _:
            from edgeseg.streaming.publish.foxglove import FoxgloveChannel

            return FoxgloveChannel(place, bundle)


def _parsed(uri: str) -> tuple[str, str, dict[str, str]]:
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in OPTIONS:
        raise UsageError(f"--publish {uri}: give {FORMS}")
    place, _, query = rest.partition("?")
    options: dict[str, str] = {}
    for piece in filter(None, query.split("&")):
        name, _, value = piece.partition("=")
        if name not in OPTIONS[scheme] or not value:
            raise UsageError(f"--publish {uri}: behind the ? of {scheme}:// stands {'=, '.join(OPTIONS[scheme])}=")
        options[name] = value
    return scheme, place, options


def _size_of(uri: str, text: str | None, bundle: Bundle) -> tuple[int, int] | None:
    if text is None:
        return None
    if text == "network":
        return bundle.width, bundle.height
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(1 <= side <= LARGEST_SIDE for side in size):
        raise UsageError(f"--publish {uri}: size={text} is no size: give one such as 640x360, or network")
    return size
