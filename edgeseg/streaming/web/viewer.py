"""One viewer: which streams it watches, each at its own pace, and what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from aiohttp import web

from edgeseg.core.errors import EdgesegError
from edgeseg.streaming.web.channel import Channel
from edgeseg.streaming.web.feed import FeedEnded, Pace
from edgeseg.streaming.web.messages import MalformedRequest, Shown, Watch, look_of


class View:
    """One stream as one viewer sees it."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self.pace = channel, Pace()
        self._wanted = asyncio.Event()
        self._large = False

    def watch(self, wanted: bool, large: bool) -> None:
        """Begins or ends the sending. What begins, or becomes another size, begins with the newest frame that there is."""
        if not wanted:
            self._wanted.clear()
        elif not self._wanted.is_set() or large != self._large:
            self._large = large
            self.pace.start_anew()
            self._wanted.set()
            self.channel.feed.announce()

    async def send_frames(self, ws: web.WebSocketResponse) -> None:
        """Sends the newest frame whenever the viewer wants it and has room, until the feed ends."""
        bundle = None
        with contextlib.suppress(FeedEnded, ConnectionError):
            while True:
                await self._wanted.wait()
                await self.pace.room()
                offer = await self.channel.feed.newer(self.pace)
                if not self._wanted.is_set():
                    continue
                if offer.bundle is not bundle:
                    bundle = offer.bundle
                    await ws.send_str(look_of(bundle, self.channel.number))
                self.pace.sending(offer)
                await ws.send_bytes(offer.message if self._large else offer.tile)


class Viewer:
    """Whoever is at the other end of a WebSocket. Watches everything at first: one stream large, several as tiles."""

    def __init__(self, ws: web.WebSocketResponse, channels: Sequence[Channel]) -> None:
        self.ws = ws
        self.views = [View(channel) for channel in channels]
        self._tasks: set[asyncio.Task[None]] = set()
        self.watch(Watch(tuple(range(len(channels))), large=len(channels) == 1))

    async def begin(self) -> None:
        """Says what there is to see, and begins to send it."""
        names = [view.channel.name for view in self.views]
        with contextlib.suppress(ConnectionError):
            await self.ws.send_json({"kind": "streams", "names": names})
        for view in self.views:
            self.start(view.send_frames(self.ws))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something beside the rest, until it is done or the viewer leaves."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def leave(self) -> None:
        """Ends all that is done for this viewer."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def watch(self, wish: Watch) -> None:
        """Sends from now on what is wished for. Raises MalformedRequest where there is no such stream."""
        self._check(wish.streams)
        for number, view in enumerate(self.views):
            view.watch(number in wish.streams, wish.large)

    def shown(self, what: Shown) -> None:
        """Notes what the viewer has on its screen. Raises MalformedRequest where there is no such stream."""
        self._check([what.stream])
        self.views[what.stream].pace.shown(what.number)

    async def tell(self, viewers: int, busy: bool) -> None:
        """Says how each stream stands, also those that it does not watch."""
        for view in self.views:
            await self.ws.send_json(view.channel.status(view.pace, viewers, busy))

    async def say(self, done: bool, said: str) -> None:
        """Answers a wish."""
        with contextlib.suppress(ConnectionError):
            await self.ws.send_str(json.dumps({"kind": "answer", "done": done, "said": said}))

    async def report(self, work: asyncio.Future[str]) -> None:
        """Says how a wish went. A viewer who leaves meanwhile does not stop it."""
        try:
            done, said = True, await asyncio.shield(work)
        except EdgesegError as error:
            done, said = False, str(error)
        await self.say(done, said)

    def _check(self, streams: Iterable[int]) -> None:
        if not all(0 <= each < len(self.views) for each in streams):
            raise MalformedRequest("no such stream")
