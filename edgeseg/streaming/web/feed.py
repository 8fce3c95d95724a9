"""Between the loop's thread and the viewers of one stream: its newest result, encoded when the first asks, once for all."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from functools import cached_property

from edgeseg.core.bundle import Bundle
from edgeseg.core.result import Result
from edgeseg.streaming.web.encode import WIDEST_TILE, frame_message, painted_jpeg

IN_FLIGHT = 2
"""Frames on their way to one viewer: one being drawn and one in the network, which a tunnel's round trip would else halve."""
RECENT_NS = 2_000_000_000
SHOWN_KEPT = 30


class FeedEnded(Exception):
    """No result will come any more."""


class Offer:
    """A result and the model that made it. number: counted by the feed, from 1. Its bytes are made when first asked for."""

    def __init__(self, number: int, result: Result, bundle: Bundle) -> None:
        self.number, self.result, self.bundle = number, result, bundle

    @cached_property
    def message(self) -> bytes:
        return frame_message(self.number, self.result, self.bundle.palette)

    @cached_property
    def tile(self) -> bytes:
        """The message with a smaller picture, for viewers who look at several streams at once."""
        if self.result.frame.image.shape[1] <= WIDEST_TILE:
            return self.message
        return frame_message(self.number, self.result, self.bundle.palette, WIDEST_TILE)

    @cached_property
    def painted(self) -> bytes:
        return painted_jpeg(self.result, self.bundle.palette)


class Feed:
    """One place for the newest result. `offer` belongs to the loop's thread, `end` to any, the rest to the page's."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._arrived = asyncio.Event()
        self._newest: Offer | None = None
        self._waiting = 0
        self._ended = False
        self._delivered: deque[int] = deque()
        self._fps = 0.0
        self._offered_ns = time.monotonic_ns()

    def offer(self, result: Result, bundle: Bundle) -> None:
        """Puts a result in the place of the one before. Wakes the page's thread only if a viewer waits."""
        self._offered_ns = time.monotonic_ns()
        self._delivered.append(self._offered_ns)
        while self._delivered[0] < self._offered_ns - RECENT_NS:
            self._delivered.popleft()
        elapsed_ns = self._offered_ns - self._delivered[0]
        self._fps = (len(self._delivered) - 1) * 1e9 / elapsed_ns if elapsed_ns else 0.0
        if result.masks.classes != bundle.classes:
            return  # The last frames of a model that was just switched away from: its colours are gone.
        self._newest = Offer(self._newest.number + 1 if self._newest else 1, result, bundle)
        # A viewer counts itself before it looks, so that it is either seen here or sees the offer.
        if self._waiting and not self._ended:
            self._loop.call_soon_threadsafe(self.announce)

    def end(self) -> None:
        """Says that nothing more will come."""
        self._ended = True
        self._loop.call_soon_threadsafe(self.announce)

    async def newer(self, pace: Pace) -> Offer:
        """Waits for an offer that was not sent to this viewer. Raises FeedEnded."""
        self._waiting += 1
        try:
            while not self._ended:
                if self._newest is not None and self._newest.number > pace.sent:
                    return self._newest
                await self._arrived.wait()
        finally:
            self._waiting -= 1
        raise FeedEnded

    @property
    def fps(self) -> float:
        """Results a second over the last two seconds."""
        return self._fps if self.silent_seconds * 1e9 < RECENT_NS else 0.0

    @property
    def silent_seconds(self) -> float:
        """Since the last result, or since the start."""
        return (time.monotonic_ns() - self._offered_ns) / 1e9

    @property
    def begun(self) -> bool:
        """Whether there was a result yet."""
        return self._newest is not None

    def announce(self) -> None:
        """Lets those who wait look again."""
        self._arrived.set()
        self._arrived.clear()


class Pace:
    """How far one viewer is. It is sent the newest frame once it has shown the one before the last; what it missed is counted.

    dropped: frames that it was too slow for. sent: the number of the newest frame that was sent to it, 0 before the first.
    """

    def __init__(self) -> None:
        self.dropped = self.sent = 0
        self._on_the_way: dict[int, int] = {}
        self._room = asyncio.Event()
        self._room.set()
        self._shown_ms: deque[float] = deque(maxlen=SHOWN_KEPT)

    @property
    def shown_ms(self) -> float | None:
        """From capture to the viewer's screen and back here: the median of the newest frames, None before the first."""
        return statistics.median(self._shown_ms) if self._shown_ms else None

    async def room(self) -> None:
        """Waits until the viewer can take another frame."""
        await self._room.wait()

    def sending(self, offer: Offer) -> None:
        """Notes a frame before it is sent."""
        if self.sent:
            self.dropped += offer.number - self.sent - 1
        self.sent = offer.number
        self._on_the_way[offer.number] = offer.result.frame.captured_ns
        if len(self._on_the_way) >= IN_FLIGHT:
            self._room.clear()

    def start_anew(self) -> None:
        """Lets the newest frame be sent again; those that came while the viewer did not want any are not counted."""
        self.sent = 0

    def shown(self, number: int) -> None:
        """Notes that the viewer has shown this frame, and so is done with those before it."""
        captured_ns = self._on_the_way.get(number)
        if captured_ns is None:
            return
        self._shown_ms.append((time.monotonic_ns() - captured_ns) / 1e6)
        self._on_the_way = {later: ns for later, ns in self._on_the_way.items() if later > number}
        self._room.set()
