"""Another process gets the masks over zenoh, with the capture time and the names of the ids."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.publish.zenoh import ZenohChannel
from tests.streaming.scene import CLASSES, HEIGHT, WIDTH, disc, scene_bundle, scene_result

zenoh = pytest.importorskip("zenoh")

SUBSCRIBER = """
import json, sys, threading, time, zlib
import zenoh
config = zenoh.Config()
config.insert_json5("scouting/multicast/enabled", "false")
config.insert_json5("transport/shared_memory/enabled", "false")
config.insert_json5("listen/endpoints", json.dumps([sys.argv[1]]))
got, done = {}, threading.Event()
def take(sample):
    key = str(sample.key_expr)
    about = json.loads(bytes(sample.attachment)) if sample.attachment else None
    got[key] = [about, bytes(sample.payload).hex()]
    if len(got) == int(sys.argv[2]):
        done.set()
with zenoh.open(config) as session:
    session.declare_subscriber("robot/**", take)
    print("ready", flush=True)
    done.wait(30)
print(json.dumps(got))
"""


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the two processes meet, on this machine alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "zenoh.json5"
    config.write_text(
        '{scouting: {multicast: {enabled: false}}, listen: {endpoints: ["tcp/127.0.0.1:0"]}, '
        "transport: {shared_memory: {enabled: false}}}"
    )
    monkeypatch.setenv("ZENOH_CONFIG", str(config))
    return f"tcp/127.0.0.1:{port}"


def heard(endpoint: str, task: str, keys: int) -> Iterator[dict]:
    """Publishes frame 3 until a subscriber has heard so many keys; gives what it heard."""
    command = [sys.executable, "-c", SUBSCRIBER, endpoint, str(keys)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    channel, outbox = ZenohChannel("robot/masks", CLASSES, connect=endpoint), Outbox(scene_bundle(task))
    while process.poll() is None:
        channel.send(outbox(scene_result(3, instances=task == "instances"), 7))
        channel.beat(Health(captured=5))
        time.sleep(0.02)
    channel.close()
    yield json.loads(process.communicate()[0])


def plane(hexadecimal: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(bytes.fromhex(hexadecimal)), np.uint8).reshape(HEIGHT, WIDTH)


def test_a_label_map_arrives_with_all_that_is_needed_to_use_it(endpoint: str) -> None:
    (got,) = heard(endpoint, "semantic", 2)
    about, labels = got["robot/masks"]
    np.testing.assert_array_equal(plane(labels), disc(3))
    assert (about["sequence"], about["frame"], about["width"], about["height"]) == (7, 3, WIDTH, HEIGHT)
    assert tuple(about["classes"]) == CLASSES
    offset_ns = time.time_ns() - time.monotonic_ns()
    assert about["captured_ns"] - offset_ns == pytest.approx(100_000_000, abs=20_000_000)
    assert json.loads(bytes.fromhex(got["robot/masks/health"][1]))["captured"] == 5


def test_things_arrive_with_their_map(endpoint: str) -> None:
    (got,) = heard(endpoint, "instances", 3)
    about, thing_map = got["robot/masks/things"]
    np.testing.assert_array_equal(plane(thing_map), np.where(disc(3), 1, 2))
    assert [(thing["id"], thing["class"]) for thing in about["things"]] == [(7, "disc"), (9, "ground")]
    assert about["things"][1]["box"] == [0, 0, WIDTH, HEIGHT]


def test_what_nobody_hears_costs_nothing_and_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    channel = ZenohChannel("robot/masks", CLASSES)
    for sequence in range(50):
        channel.send(Outbox(scene_bundle())(scene_result(sequence), sequence))
    assert channel.close() == ""
    with pytest.raises((SinkError, UsageError), match="nowhere") as raised:
        ZenohChannel("robot/masks", CLASSES, connect="nowhere")
    assert "\n" not in str(raised.value)
