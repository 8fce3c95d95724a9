"""The page's server: a thread of its own with one event loop, in which every request and every viewer lives."""

from __future__ import annotations

import asyncio
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import socket
from threading import Thread

from aiohttp import WSCloseCode, WSMsgType, web

from edgeseg.core.errors import EdgesegError
from edgeseg.streaming.sinks.page.controls import Controls
from edgeseg.streaming.sinks.page.feed import Feed, FeedEnded, Pace
from edgeseg.streaming.sinks.page.guard import Guard
from edgeseg.streaming.sinks.page.messages import (
    MAX_REQUEST,
    MalformedRequest,
    Record,
    Request,
    Shown,
    Snapshot,
    Switch,
    look_of,
    parse,
)
from edgeseg.streaming.sinks.page.status import Status

STATIC = Path(__file__).with_name("static")
FILES = {
    "": ("page.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "link.js": ("link.js", "text/javascript"),
    "picture.js": ("picture.js", "text/javascript"),
    "marks.js": ("marks.js", "text/javascript"),
    "charts.js": ("charts.js", "text/javascript"),
    "panel.js": ("panel.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
"""What may be asked for -> the file, its type. Nothing else is ever read."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""The page needs nothing from elsewhere, and no other site may show the camera."""

STATUS_SECONDS = 0.5
MAX_VIEWERS = 32
HEARTBEAT_SECONDS = 20.0
CLOSE_SECONDS = 1.0
JOIN_SECONDS = 10.0
BOUNDARY = "edgeseg-frame"


class PageServer:
    """Serves until `close`. listening: a socket, which it takes over."""

    def __init__(self, listening: socket, guard: Guard, status: Status, controls: Controls | None) -> None:
        self._guard, self._status, self._controls = guard, status, controls
        self._files = {name: ((STATIC / file).read_bytes(), kind) for name, (file, kind) in FILES.items()}
        self._loop = asyncio.new_event_loop()
        self.feed = Feed(self._loop)
        self._viewers: dict[web.WebSocketResponse, Pace] = {}
        self._streams = 0
        self._work: asyncio.Future[str] | None = None
        self._worker = ThreadPoolExecutor(1, "edgeseg-page-controls")
        self._stop = asyncio.Event()
        self._thread = Thread(target=self._run, args=(listening,), name="edgeseg-page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Says goodbye to every viewer and ends every thread. May be called twice."""
        if self._thread.is_alive():
            self.feed.end()
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
        parting = [ws.close(code=WSCloseCode.GOING_AWAY, message=b"ended") for ws in list(self._viewers)]
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
        """Sends painted pictures for as long as they are taken, each when the one before is gone."""
        if self._full():
            return _refusal(503, f"{MAX_VIEWERS} viewers are here already")
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": kind})
        await response.prepare(request)
        self._streams += 1
        number = 0
        try:
            with contextlib.suppress(FeedEnded, ConnectionError):
                while True:
                    offer = await self.feed.newer(number)
                    number, picture = offer.number, offer.painted
                    head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    await response.write(head.encode() + picture + b"\r\n")
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
        pace = self._viewers[ws] = Pace()
        sending = [asyncio.create_task(work) for work in (self._send_frames(ws, pace), self._send_status(ws, pace))]
        try:
            await self._listen(ws, pace, sending)
        finally:
            del self._viewers[ws]
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
        return ws

    async def _listen(self, ws: web.WebSocketResponse, pace: Pace, tasks: list[asyncio.Task[None]]) -> None:
        """Takes what a viewer says until it leaves, or says what can't be understood. Too long a message ends `ws` itself."""
        async for message in ws:
            try:
                if message.type is not WSMsgType.TEXT:
                    raise MalformedRequest("not a text")
                request = parse(message.data)
            except MalformedRequest as error:
                await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error).encode())
                return
            if isinstance(request, Shown):
                pace.shown(request.number)
            elif self._is_busy:
                await _say(ws, False, "busy with what was asked for before: try again in a moment")
            else:
                self._work = self._loop.run_in_executor(self._worker, self._fulfil, request)
                tasks[:] = [task for task in tasks if not task.done()]
                tasks.append(asyncio.create_task(_report(ws, self._work)))

    @property
    def _is_busy(self) -> bool:
        return self._work is not None and not self._work.done()

    def _fulfil(self, request: Request) -> str:
        controls = self._controls
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

    async def _send_frames(self, ws: web.WebSocketResponse, pace: Pace) -> None:
        bundle = None
        with contextlib.suppress(FeedEnded, ConnectionError):
            while True:
                await pace.room()
                offer = await self.feed.newer(pace.sent)
                if offer.bundle is not bundle:
                    bundle = offer.bundle
                    await ws.send_str(look_of(bundle))
                pace.sending(offer)
                await ws.send_bytes(offer.message)

    async def _send_status(self, ws: web.WebSocketResponse, pace: Pace) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                viewers = len(self._viewers) + self._streams
                await ws.send_json(self._status.now(self.feed, pace, viewers, self._is_busy))
                await asyncio.sleep(STATUS_SECONDS)


async def _report(ws: web.WebSocketResponse, work: asyncio.Future[str]) -> None:
    """Says how it went. A viewer who leaves meanwhile does not stop it."""
    try:
        done, said = True, await asyncio.shield(work)
    except EdgesegError as error:
        done, said = False, str(error)
    await _say(ws, done, said)


async def _say(ws: web.WebSocketResponse, done: bool, said: str) -> None:
    with contextlib.suppress(ConnectionError):
        await ws.send_str(json.dumps({"kind": "answer", "done": done, "said": said}))


def _refusal(status: int, said: str) -> web.Response:
    return web.Response(status=status, text=said + "\n", headers=HEADERS)
