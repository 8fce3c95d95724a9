"""A viewer sees the masks, in Foxglove's own protocol; one that hangs costs nobody anything."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import aiohttp
import numpy as np
import pytest

from edgeseg.core.errors import SinkError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.publish.foxglove import FoxgloveChannel
from tests.streaming.protobuf import fields
from tests.streaming.scene import HEIGHT, WIDTH, disc, scene_bundle, scene_result

PROTOCOL = "foxglove.sdk.v1"


@pytest.fixture
def channel() -> Iterator[FoxgloveChannel]:
    opened = FoxgloveChannel(":0", scene_bundle("instances"))
    yield opened
    opened.close()


class Viewer:
    """A client of the protocol: knows the topics, and takes the first message of those that it asks for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[Any]) -> None:
        self._socket = socket
        self.topics: dict[str, dict[str, Any]] = {}

    async def look_around(self, topics: int) -> None:
        while len(self.topics) < topics:
            said = json.loads((await self._socket.receive(10)).data)
            if said["op"] == "advertise":
                self.topics |= {entry["topic"]: entry for entry in said["channels"]}

    async def ask(self, *topics: str) -> None:
        asked = [{"id": n, "channelId": self.topics[topic]["id"]} for n, topic in enumerate(topics)]
        await self._socket.send_str(json.dumps({"op": "subscribe", "subscriptions": asked}))

    async def take(self, *topics: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        while len(found) < len(topics):
            message = await self._socket.receive(10)
            if message.type == aiohttp.WSMsgType.BINARY and message.data[0] == 1:
                found[topics[int.from_bytes(message.data[1:5], "little")]] = message.data[13:]
        return found


def outgoing(index: int) -> Any:
    return Outbox(scene_bundle("instances"))(scene_result(index, instances=True), index + 1)


async def connected(session: aiohttp.ClientSession, channel: FoxgloveChannel) -> Viewer:
    url = channel.address.replace("foxglove://", "http://")
    viewer = Viewer(await session.ws_connect(url, protocols=[PROTOCOL], max_msg_size=0))
    await viewer.look_around(7)
    return viewer


async def sending(channel: FoxgloveChannel, stop: asyncio.Event) -> int:
    count = 0
    while not stop.is_set():
        channel.send(outgoing(count))
        channel.beat(Health(captured=count))
        count += 1
        await asyncio.sleep(0.01)
    return count


def test_a_viewer_gets_the_label_map_the_painted_picture_the_outlines_and_the_health(channel: FoxgloveChannel) -> None:
    wanted = ("/labels", "/things", "/image", "/painted", "/detections", "/timing", "/health")

    async def watch() -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
        stop = asyncio.Event()
        async with aiohttp.ClientSession() as session:
            viewer = await connected(session, channel)
            await viewer.ask(*wanted)
            sender = asyncio.create_task(sending(channel, stop))
            found = await viewer.take(*wanted)
            stop.set()
            await sender
            return viewer.topics, found

    topics, found = asyncio.run(watch())
    assert topics["/labels"]["schemaName"] == "foxglove.RawImage"
    assert topics["/detections"]["schemaName"] == "foxglove.ImageAnnotations"
    index = json.loads(found["/timing"])["frame"]
    image: Any = fields(found["/labels"])
    sent = np.frombuffer(image[6], np.uint8).reshape(HEIGHT, WIDTH)
    assert any(np.array_equal(sent, disc(near)) for near in range(index - 2, index + 3))
    painted: Any = fields(found["/painted"])
    plain: Any = fields(found["/image"])
    assert painted[2][:2] == plain[2][:2] == b"\xff\xd8"
    assert painted[2] != plain[2]
    assert json.loads(found["/health"])["failed"] == 0


def test_a_viewer_that_never_reads_holds_nobody_up(channel: FoxgloveChannel) -> None:
    async def watch() -> bytes:
        stop = asyncio.Event()
        async with aiohttp.ClientSession() as session:
            hanging, reading = await connected(session, channel), await connected(session, channel)
            await hanging.ask("/labels")
            for index in range(300):
                channel.send(outgoing(index))
            await reading.ask("/labels")
            sender = asyncio.create_task(sending(channel, stop))
            found = await reading.take("/labels")
            stop.set()
            await sender
            return found["/labels"]

    assert len(asyncio.run(watch())) > WIDTH * HEIGHT


def test_a_viewer_that_hangs_does_not_keep_the_server_from_ending() -> None:
    channel = FoxgloveChannel(":0", scene_bundle("instances"))
    sent = outgoing(0)

    async def watch() -> bool:
        stop = asyncio.Event()
        async with aiohttp.ClientSession() as session:
            viewer = await connected(session, channel)
            await viewer.ask("/labels")
            sender = asyncio.create_task(sending(channel, stop))
            await viewer.take("/labels")
            stop.set()
            await sender
            # From here on this thread waits, so that nothing is read.
            for _ in range(4000):
                channel.send(sent)
            closing = Thread(target=channel.close, daemon=True)
            closing.start()
            closing.join(30)
            return closing.is_alive()

    assert not asyncio.run(watch())


def test_what_nobody_looks_at_is_not_encoded(channel: FoxgloveChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    def encoded(_: object) -> bytes:
        raise AssertionError("nobody looks")

    for topic in list(channel._messages.encoders):
        monkeypatch.setitem(channel._messages.encoders, topic, encoded)
    channel.send(outgoing(1))


def test_a_port_in_use_is_one_line(channel: FoxgloveChannel) -> None:
    port = channel.address.rpartition(":")[2]
    with pytest.raises(SinkError, match=f"{port} can't be served .* give another") as raised:
        FoxgloveChannel(f":{port}", scene_bundle())
    assert "\n" not in str(raised.value)


def test_only_this_machine_is_served_unless_told_otherwise(channel: FoxgloveChannel) -> None:
    assert channel.address.startswith("foxglove://127.0.0.1:")
    port = int(channel.address.rpartition(":")[2])
    with socket.socket() as other:  # the same port is free on another address
        other.bind(("127.0.0.2", port))
