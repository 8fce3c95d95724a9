"""The page's server: a thread of its own with one event loop, in which every request and every viewer lives."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from socket import socket
from threading import Thread

from aiohttp import WSCloseCode, WSMsgType, web

from edgeseg.core.errors import EdgesegError
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.channel import Channel, Figures
from edgeseg.streaming.web.controls import Controls
from edgeseg.streaming.web.feed import Feed, FeedEnded, Pace
from edgeseg.streaming.web.files import HEADERS, page_files
from edgeseg.streaming.web.guard import Guard
from edgeseg.streaming.web.messages import (
    MAX_REQUEST,
    MalformedRequest,
    Record,
    Request,
    Shown,
    Snapshot,
    Switch,
    Watch,
    parse,
)
from edgeseg.streaming.web.viewer import Viewer

STATUS_SECONDS = 0.5
MAX_VIEWERS = 32
HEARTBEAT_SECONDS = 20.0
CLOSE_SECONDS = 1.0
JOIN_SECONDS = 10.0
BOUNDARY = "edgeseg-frame"


class PageServer:
    """Serves until `close`. listening: a socket, which it takes over. controls, figures: of each source, or none.

    channels: one for each source of the stream; their feeds take its results.
    """

    def __init__(
        self,
        listening: socket,
        guard: Guard,
        stream: Stream,
        controls: Sequence[Controls],
        figures: Sequence[Figures],
    ) -> None:
        self._guard = guard
        self._files = page_files()
        self._loop = asyncio.new_event_loop()
        self.channels = [
            Channel(
                stream,
                number,
                Feed(self._loop),
                controls[number] if controls else None,
                figures[number] if figures else None,
            )
            for number in range(len(stream.lanes))
        ]
        self._viewers: set[Viewer] = set()
        self._streams = 0
        self._work: asyncio.Future[str] | None = None
        self._worker = ThreadPoolExecutor(1, "edgeseg-page-controls")
        self._stop = asyncio.Event()
        self._thread = Thread(target=self._run, args=(listening,), name="edgeseg-page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Says goodbye to every viewer and ends every thread. May be called twice."""
        if self._thread.is_alive():
            for channel in self.channels:
                channel.feed.end()
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(JOIN_SECONDS)
        self._worker.shutdown(cancel_futures=True)

    def _run(self, listening: socket) -> None:
        try:
            self._loop.run_until_complete(self._serve(listening))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _serve(self, listening: socket) -> None:
        app = web.Application(client_max_size=0)
        app.router.add_get("/{path:.*}", self._answer)
        app.on_shutdown.append(self._part)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await self._stop.wait()
        await runner.cleanup()

    async def _part(self, _app: web.Application) -> None:
        parting = [each.ws.close(code=WSCloseCode.GOING_AWAY, message=b"ended") for each in self._viewers]
        with contextlib.suppress(asyncio.TimeoutError):
            # One who hangs can't be said goodbye to.
            await asyncio.wait_for(asyncio.gather(*parting, return_exceptions=True), CLOSE_SECONDS)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Judges a request and finds what it asks for."""
        path = request.path.removeprefix("/")
        if self._guard.token:
            given, slash, path = path.partition("/")
            if not self._guard.knows_token(given):
                return _refusal(403, "wrong or missing token: open the whole address that edgeseg printed")
            if not slash:
                raise web.HTTPPermanentRedirect(f"/{self._guard.token}/", headers=HEADERS)
        if not self._guard.is_own_host(request.host):
            return _refusal(
                403, "this server answers to localhost only; start edgeseg with --host to show it to others"
            )
        if path == "live":
            return await self._live(request)
        if path == "stream.mjpg":
            return await self._mjpeg(request)
        if path in self._files:
            body, kind = self._files[path]
            return web.Response(body=body, content_type=kind, charset="utf-8", headers=HEADERS)
        return _refusal(404, "there is nothing of this name")

    def _full(self) -> bool:
        return len(self._viewers) + self._streams >= MAX_VIEWERS

    async def _mjpeg(self, request: web.Request) -> web.StreamResponse:
        """Sends painted pictures of one stream for as long as they are taken, each when the one before is gone."""
        asked = request.query.get("stream", "0")
        if asked not in map(str, range(len(self.channels))):
            return _refusal(404, f"there are the streams 0 to {len(self.channels) - 1}")
        if self._full():
            return _refusal(503, f"{MAX_VIEWERS} viewers are here already")
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": kind})
        await response.prepare(request)
        self._streams += 1
        feed, pace = self.channels[int(asked)].feed, Pace()
        try:
            with contextlib.suppress(FeedEnded, ConnectionError):
                while True:
                    offer = await feed.newer(pace)
                    pace.sending(offer)
                    picture = offer.painted
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    await response.write(head.encode() + picture + b"\r\n")
                    pace.shown(offer.number)
        finally:
            self._streams -= 1
        return response

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """One viewer, from its coming to its going."""
        if not self._guard.is_own_page(request.headers.get("Origin"), request.host):
            return _refusal(403, "only this server's own page may open its WebSocket")
        if self._full():
            return _refusal(503, f"{MAX_VIEWERS} viewers are here already")
        ws = web.WebSocketResponse(
            max_msg_size=MAX_REQUEST, heartbeat=HEARTBEAT_SECONDS, timeout=CLOSE_SECONDS, compress=False
        )
        if not ws.can_prepare(request):
            return _refusal(400, "this is a WebSocket: open the page instead")
        await ws.prepare(request)
        viewer = Viewer(ws, self.channels)
        self._viewers.add(viewer)
        try:
            await viewer.begin()
            viewer.start(self._tell(viewer))
            await self._listen(viewer)
        finally:
            self._viewers.remove(viewer)
            await viewer.leave()
        return ws

    async def _listen(self, viewer: Viewer) -> None:
        """Takes what a viewer says until it leaves, or says what can't be understood. Too long a message ends `ws` itself."""
        async for message in viewer.ws:
            try:
                if message.type is not WSMsgType.TEXT:
                    raise MalformedRequest("not a text")
                self._hear(viewer, parse(message.data))
            except MalformedRequest as error:
                await viewer.ws.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error).encode())
                return

    def _hear(self, viewer: Viewer, request: Request) -> None:
        match request:
            case Shown():
                viewer.shown(request)
            case Watch():
                viewer.watch(request)
            case _ if self._is_busy:
                viewer.start(viewer.say(False, "busy with what was asked for before: try again in a moment"))
            case _:
                self._work = self._loop.run_in_executor(self._worker, self._fulfil, request)
                viewer.start(viewer.report(self._work))

    @property
    def _is_busy(self) -> bool:
        return self._work is not None and not self._work.done()

    def _fulfil(self, request: Request) -> str:
        number = getattr(request, "stream", 0)
        if not 0 <= number < len(self.channels):
            raise EdgesegError(f"there is no stream {number} here")
        controls = self.channels[number].controls
        match request:
            case Switch(model, precision) if controls is not None:
                # What stands in a message must never open a file: only what was offered can be asked for.
                if not any(model == known.name and precision in known.precisions for known in controls.models):
                    raise EdgesegError(
                        f"there is no {model[:60]!r} in {precision[:20]!r} here: choose one from the list"
                    )
                return controls.switch(model, precision)
            case Record(on) if controls is not None:
                return controls.record(on)
            case Snapshot() if controls is not None:
                return controls.snapshot()
        raise EdgesegError("this page only shows: it was started without controls")

    async def _tell(self, viewer: Viewer) -> None:
        """Tells a viewer how things stand, again and again."""
        with contextlib.suppress(ConnectionError):
            while True:
                await viewer.tell(len(self._viewers) + self._streams, self._is_busy)
                await asyncio.sleep(STATUS_SECONDS)


def _refusal(status: int, said: str) -> web.Response:
    return web.Response(status=status, text=said + "\n", headers=HEADERS)
