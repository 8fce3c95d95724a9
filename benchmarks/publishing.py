"""What handing masks on costs: from the publisher's hands to the receiver's, in another process, and the share of a core.

    python benchmarks/publishing.py [--seconds 20] [--ways shm,zenoh,ros2,foxglove]

640x360 masks of the rendered street at 30 Hz. Delivery is from just before the mask is handed to the channel until the
receiver holds it as an array; both read CLOCK_MONOTONIC, which is one clock for all processes. The share is the processor
time of this process, all threads, without what making the masks takes. EDGESEG_ROS_PYTHON names a Python with rclpy: then
ros2 is received by a genuine rclpy subscriber, else by cyclonedds, whose own deserialiser takes milliseconds. Measure on a
quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import open_bundle
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import EngineInfo, Frame, Result, Timing
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.publish.publisher import Channel
from edgeseg.synthetic import Street

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, FPS, MASKS = 640, 360, 30, 30
NAME = f"benchmark-{os.getpid()}"
TOPIC = NAME.replace("-", "_")
SETTLE, HANGING = 30, 30
ROS_PYTHON = "EDGESEG_ROS_PYTHON"
TARGETS_MS = {"shm": 0.5, "zenoh": 1, "ros2": 2}
"""Of the median delivery."""

TAKING = """
import json, sys, time
seconds, name = float(sys.argv[1]), sys.argv[2]
got, end = {}, time.monotonic() + seconds
def took(key):
    got.setdefault(str(key), time.monotonic_ns())
"""

RECEIVERS = {
    "shm": """
import runpy
masks = runpy.run_path("demos/02_robot_masks.py")["Masks"](name)
print("ready", flush=True)
try:
    while time.monotonic() < end:
        found = masks.newest()
        if found:
            took(found[1])
        time.sleep(0.0002)
except FileNotFoundError:  # the publisher has ended
    pass
""",
    "zenoh": """
import zlib, numpy as np, zenoh
def take(sample):
    about = json.loads(bytes(sample.attachment))
    np.frombuffer(zlib.decompress(bytes(sample.payload)), np.uint8).reshape(about["height"], about["width"])
    took(about["captured_ns"])
with zenoh.open(zenoh.Config()) as session:
    session.declare_subscriber(name, take)
    print("ready", flush=True)
    time.sleep(seconds)
""",
    "ros2": """
from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from edgeseg.streaming.publish.dds import idl_type
from edgeseg.streaming.publish.ros_messages import IMAGE, type_store
participant = DomainParticipant(0)
qos = Qos(Policy.Reliability.Reliable(10**8), Policy.History.KeepLast(1))
message = idl_type(type_store(), IMAGE)
reader = DataReader(participant, Topic(participant, "rt/" + name, message, qos=qos), qos=qos)
print("ready", flush=True)
while time.monotonic() < end:
    for image in reader.take(1):
        if not isinstance(image, message):  # the publisher has ended
            continue
        took(image.header.stamp.sec * 10**9 + image.header.stamp.nanosec)
    time.sleep(0.0002)
""",
    "rclpy": """
import numpy as np, rclpy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("listener")
def take(image):
    np.frombuffer(image.data, np.uint8).reshape(image.height, image.width)
    took(image.header.stamp.sec * 10**9 + image.header.stamp.nanosec)
node.create_subscription(Image, "/" + name, take, 1)
print("ready", flush=True)
while time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.1)
node.destroy_node()
rclpy.shutdown()
""",
    "foxglove": """
import asyncio, aiohttp
async def watch():
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(sys.argv[3], protocols=["foxglove.sdk.v1"], max_msg_size=0)
        while True:
            said = json.loads((await socket.receive()).data)
            wanted = [c["id"] for c in said.get("channels", []) if c["topic"] == "/labels"]
            if wanted:
                break
        await socket.send_str(json.dumps({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": wanted[0]}]}))
        print("ready", flush=True)
        while True:
            message = await socket.receive()
            if message.type == aiohttp.WSMsgType.BINARY and message.data[0] == 1:
                took(int.from_bytes(message.data[5:13], "little"))
try:
    asyncio.run(asyncio.wait_for(watch(), end - time.monotonic()))
except asyncio.TimeoutError:
    pass
""",
}


def opened(way: str, bundle: Bundle) -> tuple[Channel, list[str]]:
    """Returns a channel and what its receiver need be told: the name to listen to, and for a server its address."""
    if way == "shm":
        from edgeseg.streaming.publish.shm import ShmChannel

        return ShmChannel(NAME, bundle.classes), [NAME]
    if way == "zenoh":
        from edgeseg.streaming.publish.zenoh import ZenohChannel

        return ZenohChannel(NAME, bundle.classes), [NAME]
    if way == "ros2":
        from edgeseg.streaming.publish.ros2 import Ros2Channel

        return Ros2Channel(TOPIC, bundle, "benchmark"), [TOPIC]
    from edgeseg.streaming.publish.foxglove import FoxgloveChannel

    channel = FoxgloveChannel(":0", bundle)
    return channel, [NAME, channel.address.replace("foxglove://", "http://")]


def receiver(way: str, seconds: float, told: list[str]) -> subprocess.Popen[str]:
    """Starts the receiving process and waits until it listens."""
    interpreter, script, environment = sys.executable, RECEIVERS[way], {**os.environ, "PYTHONPATH": str(ROOT)}
    if way == "ros2" and ROS_PYTHON in os.environ:
        interpreter, script, environment = os.environ[ROS_PYTHON], RECEIVERS["rclpy"], dict(os.environ)
    command = [interpreter, "-c", f"{TAKING}{script}\nprint(json.dumps(got))", str(seconds), *told]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def measure(way: str, seconds: float, bundle: Bundle, masks: list[SemanticMask]) -> str:
    """Returns a row of the table."""
    channel, told = opened(way, bundle)
    process, outbox = receiver(way, seconds, told), Outbox(bundle)
    image, engine = np.zeros((HEIGHT, WIDTH, 3), np.uint8), EngineInfo("none", "fp32", "none", 1)
    handed: dict[str, int] = {}
    begin, busy = time.monotonic(), time.process_time()
    for index in range(int((seconds - 1) * FPS)):
        time.sleep(max(0.0, begin + index / FPS - time.monotonic()))
        now = time.monotonic_ns()
        result = Result(Frame(image, index, now, "street"), masks[index % MASKS], Timing({}, now), engine)
        outgoing = outbox(result, index + 1)
        key = now if way == "shm" else outgoing.captured_wall_ns
        handed[str(key)] = now
        channel.send(outgoing)
    share = (time.process_time() - busy) / (time.monotonic() - begin)
    try:
        got = json.loads(process.communicate(timeout=HANGING)[0])
    finally:
        process.kill()
        channel.close()
    delays = [(got[key] - moment) / 1e6 for key, moment in list(handed.items())[SETTLE:] if key in got]
    p50, p99 = np.percentile(delays, [50, 99])
    target = f" ({TARGETS_MS[way]})" if way in TARGETS_MS else ""
    arrived = f"{len(delays)} of {len(handed) - SETTLE}"
    return f"| {named(way)} | {arrived} | {p50:.2f}{target} | {p99:.2f} | {100 * share:.1f} % |"


def named(way: str) -> str:
    """Returns what the table calls a way out."""
    if way != "ros2":
        return f"{way}://"
    return f"ros2://, {'rclpy' if ROS_PYTHON in os.environ else 'cyclonedds in Python'} receives"


def main() -> None:
    """Prints a row a way out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--ways", default="shm,zenoh,ros2,foxglove")
    chosen = parser.parse_args()
    bundle = open_bundle("fast-scnn-street")
    street = Street(1, WIDTH, HEIGHT, FPS)
    masks = [SemanticMask(street.render(index).labels, bundle.classes) for index in range(MASKS)]
    print(
        "| way | arrived | delivery p50, ms (target) | p99, ms | of one core (target: 3 %) |\n|---|---|---|---|---|",
        flush=True,
    )
    for way in chosen.ways.split(","):
        print(measure(way, chosen.seconds, bundle, masks), flush=True)


if __name__ == "__main__":
    main()
