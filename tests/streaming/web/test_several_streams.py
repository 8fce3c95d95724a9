"""One page for several streams, as a program meets it: what is sent, at whose pace, and whom a wish reaches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from edgeseg.core.result import Result
from edgeseg.runtime.segmenter import load
from edgeseg.streaming.opening import open_source
from edgeseg.streaming.pipeline import Stream
from edgeseg.streaming.web.sink import PageSink
from tests.streaming.web.conftest import Answers
from tests.streaming.web.test_page_server import closing_code, go, next_of

ADDRESSES = ["street://?size=96x64&frames=1&seed=1", "street://?size=96x64&frames=1&seed=2"]
Write = Callable[..., None]


@pytest.fixture
def answers() -> list[Answers]:
    return [Answers(), Answers()]


@pytest.fixture
def pair(bundle_folder: Path, answers: list[Answers]) -> Iterator[PageSink]:
    """A page on two streams."""
    segmenter = load(bundle_folder, engine="onnxruntime", threads=1)
    with Stream([open_source(each) for each in ADDRESSES], segmenter, owns_segmenter=True) as stream:
        sink = PageSink(stream, answers, port=0, figures=[lambda: {"n": "zero"}, lambda: {"n": "one"}])
        yield sink
        sink.close()


@pytest.fixture
def write(pair: PageSink, make_bars: Callable[[int], Result]) -> Write:
    """write(lane, index, width=...) hands the page a result of a stream, its frame as wide as wished."""

    def write(lane: int, index: int, width: int | None = None) -> None:
        result = replace(make_bars(index), lane=lane)
        if width is not None:
            result = replace(result, frame=replace(result.frame, image=np.zeros((width // 2, width, 3), np.uint8)))
        pair.write(result)

    return write


def header(message: bytes) -> dict[str, Any]:
    return json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])


async def frame(ws: Any) -> tuple[int, int]:
    """Stream and number of the next frame."""
    head = header(await next_of(ws, "frame"))
    return head["stream"], head["number"]


async def silent(ws: Any) -> bool:
    try:
        await asyncio.wait_for(next_of(ws, "frame"), 0.2)
    except asyncio.TimeoutError:
        return True
    return False


def test_a_viewer_learns_of_every_stream_and_gets_frames_of_each(pair: PageSink, write: Write) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(pair.address + "live") as ws:
            assert (await next_of(ws, "streams"))["names"] == ADDRESSES
            for lane in (0, 1):
                write(lane, 0)
                assert (await next_of(ws, "look"))["stream"] == lane
                assert await frame(ws) == (lane, 1)
            told = [await next_of(ws, "status") for _ in range(2)]
            assert [said["stream"] for said in told] == [0, 1]
            assert [said["source"] for said in told] == ADDRESSES
            assert [said["figures"]["n"] for said in told] == ["zero", "one"]

    go(view)


def test_only_what_is_watched_is_sent_and_its_newest_frame_at_once(pair: PageSink, write: Write) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(pair.address + "live") as ws:
            write(0, 0)
            write(1, 0)
            assert sorted([await frame(ws), await frame(ws)]) == [(0, 1), (1, 1)]
            await ws.send_json({"kind": "watch", "streams": [1], "large": True})
            assert await frame(ws) == (1, 1), "at its full size now, without waiting for a newer one"
            write(0, 1)
            assert await silent(ws)
            write(1, 1)
            assert await frame(ws) == (1, 2)
            await ws.send_json({"kind": "watch", "streams": [], "large": False})
            await next_of(ws, "status")
            write(1, 2)
            assert await silent(ws)
            await ws.send_json({"kind": "shown", "stream": 1, "number": 2})
            await ws.send_json({"kind": "watch", "streams": [0], "large": False})
            assert await frame(ws) == (0, 2)

    go(view)


def test_tiles_are_smaller_pictures(pair: PageSink, write: Write) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(pair.address + "live") as ws:
            write(0, 0, width=1280)
            tile = header(await next_of(ws, "frame"))
            await ws.send_json({"kind": "watch", "streams": [0], "large": True})
            large = header(await next_of(ws, "frame"))
            assert tile["width"] == large["width"] == 1280
            assert tile["picture"] < large["picture"] / 2

    go(view)


def test_a_stream_whose_frames_are_not_acknowledged_stops_alone(pair: PageSink, write: Write) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(pair.address + "live") as ws:
            for index in range(2):
                write(0, index)
                assert await frame(ws) == (0, index + 1)
            for index in range(5):
                write(0, 2 + index)
                write(1, index)
                assert await frame(ws) == (1, index + 1)
                await ws.send_json({"kind": "shown", "stream": 1, "number": index + 1})
            await ws.send_json({"kind": "shown", "stream": 0, "number": 2})
            assert await frame(ws) == (0, 7), "the newest"
            dropped = {}
            while dropped != {0: 4, 1: 0}:
                said = await next_of(ws, "status")
                dropped[said["stream"]] = said["yours"]["dropped"]

    go(view)


def test_what_was_not_watched_does_not_count_as_missed(pair: PageSink, write: Write) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(pair.address + "live") as ws:
            write(0, 0)
            await frame(ws)
            await ws.send_json({"kind": "watch", "streams": [1], "large": True})
            await next_of(ws, "status")
            for index in range(1, 6):
                write(0, index)
            await ws.send_json({"kind": "watch", "streams": [0], "large": True})
            assert await frame(ws) == (0, 6)
            await next_of(ws, "status")
            assert (await next_of(ws, "status"))["yours"]["dropped"] == 0

    go(view)


def test_a_wish_reaches_the_controls_of_its_stream_alone(pair: PageSink, answers: list[Answers]) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(pair.address + "live") as ws:
            await ws.send_json({"kind": "record", "stream": 1, "on": True})
            assert (await next_of(ws, "answer"))["done"]
            assert [each.recording for each in answers] == [False, True]
            for stream in (2, -1, 10**30):
                await ws.send_json({"kind": "snapshot", "stream": stream})
                answer = await next_of(ws, "answer")
                assert not answer["done"] and "no stream" in answer["said"]

    go(view)


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "watch", "streams": [2], "large": True},
        {"kind": "watch", "streams": [-1], "large": True},
        {"kind": "shown", "stream": 2, "number": 1},
    ],
)
def test_to_watch_what_is_not_there_ends_the_connection(pair: PageSink, message: dict[str, Any]) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(pair.address + "live") as ws:
            await ws.send_json(message)
            assert await closing_code(ws) == 1008

    go(view)


@pytest.mark.parametrize(("query", "status"), [("", 200), ("?stream=1", 200), ("?stream=2", 404), ("?stream=x", 404)])
def test_mjpeg_is_of_one_stream(pair: PageSink, query: str, status: int) -> None:
    async def view(session: aiohttp.ClientSession) -> None:
        async with session.get(f"{pair.address}stream.mjpg{query}") as response:
            assert response.status == status

    go(view)
