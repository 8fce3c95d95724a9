"""A recording opens in Foxglove's and MCAP's own readers, also where the process was killed or the disk was full."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mcap.exceptions import EndOfFile, InvalidMagic
from mcap.reader import make_reader
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader

from edgeseg.core.errors import EdgesegError, SinkError, UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.sinks import mcap as recording
from edgeseg.streaming.sinks.mcap import McapChannel
from tests.streaming.protobuf import fields
from tests.streaming.scene import HEIGHT, WIDTH, disc, scene_bundle, scene_result

ROOT = Path(__file__).parents[3]

RECORDING = """
import itertools, pathlib, sys, time
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.sinks.mcap import McapChannel
from tests.streaming.scene import scene_bundle, scene_result
channel, outbox = McapChannel(pathlib.Path(sys.argv[1]), scene_bundle()), Outbox(scene_bundle())
for index in itertools.count():
    channel.send(outbox(scene_result(index), index + 1))
    time.sleep(0.01)
"""


def record(path: Path, frames: int, task: str = "semantic") -> None:
    channel, outbox = McapChannel(path, scene_bundle(task)), Outbox(scene_bundle(task))
    for index in range(frames):
        channel.send(outbox(scene_result(index, instances=task == "instances"), index + 1))
    channel.beat(Health(captured=frames, error="the camera is gone"))
    assert channel.close() == channel.close() == str(path)


def read_from_the_front(path: Path) -> Counter[str]:
    """How many messages of each topic there are before the file ends, wherever it does."""
    topics: dict[int, str] = {}
    counts: Counter[str] = Counter()
    try:
        for found in StreamReader(io.BytesIO(path.read_bytes()), record_size_limit=None).records:
            if isinstance(found, Channel):
                topics[found.id] = found.topic
            elif isinstance(found, Message):
                counts[topics[found.channel_id]] += 1
    except (EndOfFile, InvalidMagic):
        pass
    return counts


def messages(path: Path, topic: str) -> list[tuple[Schema, Channel, Message]]:
    with path.open("rb") as file:
        return [(s, c, m) for s, c, m in make_reader(file).iter_messages(topics=[topic]) if s is not None]


def test_picture_and_masks_come_back_with_the_capture_time(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    record(path, 5)
    for index, (schema, channel, message) in enumerate(messages(path, "/labels")):
        assert (schema.name, schema.encoding, channel.message_encoding) == ("foxglove.RawImage", "protobuf", "protobuf")
        known: Any = fields(message.data)
        assert (known[2], known[3], known[4], known[5]) == (WIDTH, HEIGHT, b"mono8", WIDTH)
        np.testing.assert_array_equal(np.frombuffer(known[6], np.uint8).reshape(HEIGHT, WIDTH), disc(index))
        stamp: Any = fields(known[1])
        assert stamp[1] * 10**9 + stamp.get(2, 0) == message.log_time
        offset_ns = time.time_ns() - time.monotonic_ns()
        assert message.log_time - offset_ns == pytest.approx(index * 33_333_333, abs=20_000_000)
    pictures = messages(path, "/image")
    assert len(pictures) == 5
    assert pictures[0][0].name == "foxglove.CompressedImage"
    jpeg: Any = fields(pictures[0][2].data)
    picture = cv2.imdecode(np.frombuffer(jpeg[2], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None and jpeg[3] == b"jpeg"
    assert np.abs(picture.astype(int) - scene_result(0).frame.image).mean() < 4


def test_timing_and_health_are_json_with_a_schema(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    record(path, 3)
    schema, channel, message = messages(path, "/timing")[2]
    assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
    assert json.loads(message.data) == {"frame": 2, "sequence": 3, "latency_ms": 9.0, "stage_ms": {"engine": 5.0}}
    ((schema, _, message),) = messages(path, "/health")
    said = json.loads(message.data)
    assert said["error"] == "the camera is gone"
    assert set(json.loads(schema.data)["properties"]) == set(said)
    with path.open("rb") as file:
        (metadata,) = make_reader(file).iter_metadata()
    assert metadata.metadata == {"0": "ground", "1": "disc", "2": "sky"}


def test_things_are_outlined_and_named(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    record(path, 2, "instances")
    schema, _, message = messages(path, "/detections")[0]
    assert schema.name == "foxglove.ImageAnnotations"
    assert b"disc 7 90%" in message.data
    assert b"ground 9 40%" in message.data
    schema, _, message = messages(path, "/things")[0]
    known: Any = fields(message.data)
    np.testing.assert_array_equal(np.frombuffer(known[6], np.uint8).reshape(HEIGHT, WIDTH), np.where(disc(0), 1, 2))


def test_a_process_that_is_killed_leaves_all_that_was_a_chunk_by_then(tmp_path: Path) -> None:
    path = tmp_path / "r.mcap"
    process = subprocess.Popen(
        [sys.executable, "-c", RECORDING, str(path)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not path.exists() or read_from_the_front(path)["/image"] < 10):
        time.sleep(0.02)
    before = read_from_the_front(path)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    found = read_from_the_front(path)
    assert found["/image"] >= before["/image"] >= 10
    assert found["/labels"] == found["/timing"] == found["/image"]


def test_a_chunk_is_written_at_least_every_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 10**12
    monkeypatch.setattr(recording.time, "monotonic_ns", lambda: now)
    path = tmp_path / "r.mcap"
    channel, outbox = McapChannel(path, scene_bundle()), Outbox(scene_bundle())
    for index in range(90):
        channel.send(outbox(scene_result(index), index + 1))
        assert read_from_the_front(path)["/image"] > index - 30
        now += 33_333_333
    channel.close()


def test_a_full_disk_ends_the_recording_in_one_line_and_leaves_what_was_whole(
    tmp_path: Path, full_disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.mcap"
    channel, outbox = McapChannel(path, scene_bundle()), Outbox(scene_bundle())
    now = 10**12
    monkeypatch.setattr(recording.time, "monotonic_ns", lambda: now)
    with full_disk(60_000), pytest.raises(SinkError, match=r"recording stopped after .* is the disk full") as raised:
        for index in range(2000):
            now += 300_000_000
            channel.send(outbox(scene_result(index, captured_ns=0), index + 1))
    assert "\n" not in str(raised.value)
    found = read_from_the_front(path)
    assert found["/image"] == found["/labels"] > 2
    channel.beat(Health())
    assert channel.close() == str(path)


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("r.mp4", UsageError, "ends in .mcap"),
        ("older.mcap", UsageError, "exists already"),
        ("missing/r.mcap", SinkError, "No such file or directory"),
        ("older.mcap/r.mcap", SinkError, "Not a directory"),
    ],
)
def test_a_place_that_can_not_take_it_is_said_before_any_frame(
    tmp_path: Path, name: str, kind: type[EdgesegError], said: str
) -> None:
    (tmp_path / "older.mcap").write_text("older")
    with pytest.raises(kind, match=said) as raised:
        McapChannel(tmp_path / name, scene_bundle())
    assert "\n" not in str(raised.value)
    assert (tmp_path / "older.mcap").read_text() == "older"
