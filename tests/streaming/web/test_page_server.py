"""The page's server, as browsers and worse meet it: real sockets, real results, no browser."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from edgeseg.core.errors import SinkError
from edgeseg.core.result import Result
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.sink import PageSink

MakeBars = Callable[[int], Result]
SOON = 5.0


def go(work: Callable[[aiohttp.ClientSession], Awaitable[Any]], seconds: float = SOON) -> Any:
    """Runs a viewer's doings to their end, which must come soon."""

    async def inside() -> Any:
        async with aiohttp.ClientSession() as session:
            return await asyncio.wait_for(work(session), seconds)

    return asyncio.run(inside())


async def next_of(ws: Any, kind: str) -> Any:
    """The next message of a kind: "frame", or a JSON text's own."""
    while True:
        message = await ws.receive()
        if message.type is aiohttp.WSMsgType.BINARY and kind == "frame":
            return message.data
        if message.type is aiohttp.WSMsgType.TEXT and (said := message.json())["kind"] == kind:
            return said
        if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}:
            raise ConnectionError(f"closed: {ws.close_code}")


async def closing_code(ws: Any) -> int | None:
    with contextlib.suppress(ConnectionError):
        await next_of(ws, "nothing")
    return ws.close_code


def frame_number(message: bytes) -> int:
    return int(message[4:].partition(b'"number":')[2].partition(b",")[0])


def write_on(page: PageSink, make_bars: MakeBars, stop: threading.Event) -> None:
    index = 0
    while not stop.wait(0.01):
        page.write(make_bars(index))
        index += 1


@pytest.fixture
def flowing(page: PageSink, make_bars: MakeBars):
    """The page, while results are written to it about a hundred times a second."""
    stop = threading.Event()
    writer = threading.Thread(target=write_on, args=(page, make_bars, stop))
    writer.start()
    yield page
    stop.set()
    writer.join()


def test_frames_arrive_after_the_look_that_they_need(flowing: PageSink) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(flowing.address + "live") as ws:
            look = await next_of(ws, "look")
            assert look["classes"] == ["red", "green", "blue"]
            assert len(await next_of(ws, "frame")) > 100
            status = await next_of(ws, "status")
            assert status["viewers"] == 1
            # The first status may come before two results have; how high the rate is, the machine decides.
            while not status["fps"]:
                status = await next_of(ws, "status")
            assert [model["name"] for model in status["models"]] == ["nearest-colour", "other"]

    go(view)


def test_a_viewer_gets_no_more_than_two_frames_until_it_says_that_it_has_shown_them(
    page: PageSink, make_bars: MakeBars
) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(page.address + "live") as ws:
            numbers = []
            for index in range(2):
                page.write(make_bars(index))
                numbers.append(frame_number(await next_of(ws, "frame")))
            assert numbers == [1, 2]
            for index in range(2, 7):
                page.write(make_bars(index))
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(next_of(ws, "frame"), 0.2)
            await ws.send_json({"kind": "shown", "number": 1})
            assert frame_number(await next_of(ws, "frame")) == 7, "the newest, none in between"
            status = await next_of(ws, "status")
            while not status["yours"]["dropped"]:
                status = await next_of(ws, "status")
            assert status["yours"]["dropped"] == 4
            assert status["yours"]["shown_ms"] > 0

    go(view)


def test_a_viewer_that_never_reads_neither_slows_the_loop_nor_another_viewer(
    page: PageSink, make_bars: MakeBars
) -> None:
    host, port = "127.0.0.1", int(page.address.split(":")[2].rstrip("/"))
    handshake = (
        f"GET /live HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    async def view(session: aiohttp.ClientSession) -> int:
        number = 0
        async with session.ws_connect(page.address + "live") as ws:
            while (await next_of(ws, "status"))["viewers"] < 2:
                pass
            for index in range(50):
                page.write(make_bars(index))
                number = frame_number(await next_of(ws, "frame"))
                await ws.send_json({"kind": "shown", "number": number})
            return number

    with socket.create_connection((host, port)) as stuck:
        stuck.sendall(handshake.encode())
        assert go(view) == 50


def test_without_a_viewer_nothing_is_encoded(page: PageSink, make_bars: MakeBars, monkeypatch) -> None:
    made: list[int] = []
    monkeypatch.setattr("edgeseg.streaming.web.feed.frame_message", lambda number, *_: made.append(number) or b"")
    for index in range(20):
        page.write(make_bars(index))
    assert made == []


def test_a_frame_is_encoded_once_for_all_viewers(page: PageSink, make_bars: MakeBars, monkeypatch) -> None:
    made: list[int] = []
    monkeypatch.setattr("edgeseg.streaming.web.feed.frame_message", lambda number, *_: made.append(number) or b"frame")

    async def view(session: aiohttp.ClientSession) -> None:
        address = page.address + "live"
        async with session.ws_connect(address) as one, session.ws_connect(address) as two:
            for index in range(2):
                page.write(make_bars(index))
                assert await next_of(one, "frame") == await next_of(two, "frame") == b"frame"

    go(view)
    assert made == [1, 2]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("not JSON", 1008),
        ('{"kind": "shown", "number": "1"}', 1008),
        (b"\x00\x01", 1008),
        ("[" * 60_000, 1008),
        ("x" * 65_537, 1009),
    ],
)
def test_a_malformed_or_oversized_message_ends_that_connection_alone(
    flowing: PageSink, message: str | bytes, code: int
) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(flowing.address + "live") as good:
            async with session.ws_connect(flowing.address + "live") as bad:
                await (bad.send_str(message) if isinstance(message, str) else bad.send_bytes(message))
                assert await closing_code(bad) == code
            number = frame_number(await next_of(good, "frame"))
            await good.send_json({"kind": "shown", "number": number})
            assert frame_number(await next_of(good, "frame")) > number

    go(view)


def test_buttons_reach_the_controls_and_their_answers_come_back(page: PageSink, controls) -> None:
    async def view(session: aiohttp.ClientSession) -> list[tuple[bool, str]]:
        said = []
        async with session.ws_connect(page.address + "live") as ws:
            for request in (
                {"kind": "switch", "model": "other", "precision": "bf16"},
                {"kind": "switch", "model": "../../secret", "precision": "bf16"},
                {"kind": "switch", "model": "nearest-colour", "precision": "bf16"},
                {"kind": "record", "on": True},
                {"kind": "snapshot"},
            ):
                await ws.send_json(request)
                answer = await next_of(ws, "answer")
                said.append((answer["done"], answer["said"]))
            while not (await next_of(ws, "status"))["recording"]:
                pass
        return said

    switched, unknown, imprecise, recorded, full = go(view)
    assert switched == (True, "now other in bf16")
    assert controls.asked == ["other bf16"], "what is not on the list is never opened"
    assert unknown[0] is imprecise[0] is False
    assert recorded == (True, "recording")
    assert full == (False, "the disk is full: free some space")


def test_one_wish_at_a_time_and_frames_go_on_meanwhile(flowing: PageSink, controls) -> None:
    controls.hold = True

    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(flowing.address + "live") as ws:
            await ws.send_json({"kind": "switch", "model": "other", "precision": "fp32"})
            await ws.send_json({"kind": "snapshot"})
            answer = await next_of(ws, "answer")
            assert not answer["done"] and "busy" in answer["said"]
            await next_of(ws, "frame")
            while not (await next_of(ws, "status"))["busy"]:
                pass
            controls.go.set()
            assert (await next_of(ws, "answer"))["said"] == "now other in fp32"

    go(view)


def test_without_controls_the_page_shows_and_refuses_wishes(bars_stream: Stream, make_bars: MakeBars) -> None:
    sink = PageSink(bars_stream, port=0, figures=[lambda: {"mIoU": "58.2 %"}])

    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(sink.address + "live") as ws:
            status = await next_of(ws, "status")
            assert status["models"] is None
            assert status["figures"] == {"mIoU": "58.2 %"}
            await ws.send_json({"kind": "snapshot"})
            assert not (await next_of(ws, "answer"))["done"]

    go(view)
    sink.close()


def test_mjpeg_shows_the_same_to_those_who_know_nothing_else(flowing: PageSink) -> None:
    async def view(session: aiohttp.ClientSession) -> bytes:
        picture = b""
        async with session.get(flowing.address + "stream.mjpg") as response:
            assert response.content_type == "multipart/x-mixed-replace"
            for _ in range(3):
                await response.content.readuntil(b"Content-Length: ")
                length = int(await response.content.readuntil(b"\r\n\r\n"))
                picture = await response.content.readexactly(length)
            return picture

    assert go(view).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    "path",
    ["server.py", "../server.py", "..%2fserver.py", "/etc/passwd", "static/page.js", "page.html", "%00", "x" * 900],
)
def test_only_the_pages_own_files_are_served(page: PageSink, path: str) -> None:
    with socket.create_connection(("127.0.0.1", int(page.address.split(":")[2].rstrip("/")))) as raw:
        raw.sendall(f"GET /{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] == b"404"


def test_the_page_names_nothing_outside_itself(page: PageSink) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.get(page.address) as response:
            assert response.status == 200
            policy = response.headers["Content-Security-Policy"]
            text = await response.text()
        assert "default-src 'none'" in policy and "http" not in policy
        assert "http://" not in text and "https://" not in text and 'href="/' not in text

    go(view)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "http://["])
def test_no_other_sites_page_may_open_the_websocket(page: PageSink, origin: str) -> None:
    async def view(session: aiohttp.ClientSession) -> int:
        async with session.get(page.address + "live", headers={"Origin": origin}) as response:
            return response.status

    assert go(view) == 403


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1.evil.example:80", "[", ""])
def test_a_foreign_name_that_points_here_gets_nothing(page: PageSink, name: str) -> None:
    async def view(session: aiohttp.ClientSession) -> int:
        async with session.get(page.address, headers={"Host": name}) as response:
            return response.status

    assert go(view) == 403


def test_beyond_the_loopback_every_request_needs_the_token(bars_stream: Stream, make_bars: MakeBars) -> None:
    sink = PageSink(bars_stream, host="0.0.0.0", port=0)
    port, token = sink.address.split(":")[2].split("/")[:2]
    here = f"http://127.0.0.1:{port}/"

    async def view(session: aiohttp.ClientSession) -> None:
        async def status(path: str) -> int:
            async with session.get(here + path) as response:
                return response.status

        assert len(token) >= 20
        for wrong in (
            "",
            "page.js",
            "live",
            "stream.mjpg",
            f"{token[:-1]}/",
            f"x{token}/page.js",
            "%C3%A9/",
            f"//{token}/",
        ):
            assert await status(wrong) == 403, wrong
        assert await status(f"{token}/page.js") == await status(token) == 200
        assert await status(f"{token}/server.py") == 404
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(here + "wrong/live")
        async with session.ws_connect(f"{here}{token}/live") as ws:
            sink.write(make_bars(0))
            await next_of(ws, "frame")

    go(view)
    sink.close()


def test_a_port_in_use_is_said_in_one_line(page: PageSink, bars_stream: Stream) -> None:
    port = int(page.address.split(":")[2].rstrip("/"))
    with pytest.raises(SinkError, match=rf"port {port} .*--port") as error:
        PageSink(bars_stream, port=port)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("host", "port"), [("x" * 64, 0), ("127.0.0.1", 99_999), ("203.0.113.1", 0)])
def test_an_address_that_can_not_be_is_said_in_one_line(bars_stream: Stream, host: str, port: int) -> None:
    with pytest.raises(SinkError, match="page can't be served"):
        PageSink(bars_stream, host=host, port=port)


def test_closing_says_goodbye_and_ends_every_thread(bars_stream: Stream, make_bars: MakeBars, controls) -> None:
    before = set(threading.enumerate())
    sink = PageSink(bars_stream, [controls], port=0)

    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(sink.address + "live") as ws:
            sink.write(make_bars(0))
            await next_of(ws, "frame")
            await ws.send_json({"kind": "record", "on": True})
            await next_of(ws, "answer")
            closing = asyncio.get_running_loop().run_in_executor(None, sink.close)
            assert await closing_code(ws) == 1001
            await closing

    go(view)
    sink.close()
    sink.write(make_bars(1))
    left = {thread for thread in threading.enumerate() if thread.name.startswith("edgeseg-page")} - before
    assert not left


def test_closing_does_not_wait_for_one_who_hangs(page: PageSink, make_bars: MakeBars) -> None:
    with socket.create_connection(("127.0.0.1", int(page.address.split(":")[2].rstrip("/")))) as stuck:
        stuck.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for index in range(5):
            page.write(make_bars(index))
        begin = time.monotonic()
        page.close()
        assert time.monotonic() - begin < SOON
