"""Another process gets the masks as ROS 2 topics: through DDS alone, and in a genuine rclpy."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.publish.ros2 import Ros2Channel
from edgeseg.streaming.publish.ros_messages import DETECTIONS, IMAGE, RosMessages, type_store
from tests.streaming.scene import CLASSES, HEIGHT, WIDTH, disc, scene_bundle, scene_result

pytest.importorskip("cyclonedds", reason="cyclonedds is not installed (it has no wheel for this machine)")

ROOT = Path(__file__).parents[3]
LOOPBACK = """<CycloneDDS><Domain><General><Interfaces><NetworkInterface name="lo" multicast="true"/></Interfaces></General>
</Domain></CycloneDDS>"""
MASKS, GENUINE_MASKS = 30, 100

SUBSCRIBER = """
import hashlib, json, sys, time
from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from edgeseg.streaming.publish.dds import idl_type
from edgeseg.streaming.publish.ros_messages import IMAGE, LABEL_INFO, type_store
store, participant = type_store(), DomainParticipant(int(sys.argv[1]))
def reader(topic, kind, durability):
    qos = Qos(Policy.Reliability.Reliable(10**8), Policy.History.KeepLast(200), durability)
    return DataReader(participant, Topic(participant, "rt/" + topic, idl_type(store, kind), qos=qos), qos=qos)
images = {path: reader("camera/seg" + path, IMAGE, Policy.Durability.Volatile) for path in ("", "/overlay", "/confidence")}
names = reader("camera/seg/label_info", LABEL_INFO, Policy.Durability.TransientLocal)
got, known, end = {path: {} for path in images}, [], time.monotonic() + 30
print("ready", flush=True)
while (min(map(len, got.values())) < int(sys.argv[2]) or not known) and time.monotonic() < end:
    for path, image in ((path, image) for path in images for image in images[path].take(50)):
        stamp = image.header.stamp.sec * 10**9 + image.header.stamp.nanosec
        digest = hashlib.sha256(bytes(image.data)).hexdigest()
        got[path][stamp] = [image.height, image.width, image.encoding, digest]
    for info in names.take(1):
        known = [(c.class_id, c.class_name) for c in info.class_map]
    time.sleep(0.001)
print(json.dumps([got, known]))
"""

GENUINE = """
import hashlib, json, sys, time
import rclpy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("listener")
got = {"": {}, "/overlay": {}, "/confidence": {}}
def take(path, image):
    stamp = image.header.stamp.sec * 10**9 + image.header.stamp.nanosec
    digest = hashlib.sha256(bytes(image.data)).hexdigest()
    got[path][stamp] = [image.height, image.width, image.encoding, digest]
for path in got:
    node.create_subscription(Image, "/camera/seg" + path, lambda image, path=path: take(path, image), 10)
print("ready", flush=True)
end = time.monotonic() + 60
while min(map(len, got.values())) < int(sys.argv[2]) and time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.1)
print(json.dumps([got, []]))
"""


Listener = subprocess.Popen[str]


THROUGH_RCLPY = """
import json, sys, time
import rclpy
from edgeseg.core.errors import SinkError
from edgeseg.streaming.publish.ros_node import RosNode
from sensor_msgs.msg import Image
rclpy.init()
listener, got = rclpy.create_node("listener"), []
listener.create_subscription(Image, "/seg", lambda image: got.append([image.header.stamp.sec, bytes(image.data).hex()]), 10)
node = RosNode()
publisher = node.publisher("seg", "sensor_msgs/msg/Image")
alone = node.publisher("nobody", "sensor_msgs/msg/Image").get_subscription_count()
end = time.monotonic() + 30
while not got and time.monotonic() < end:
    publisher.publish(bytes.fromhex(sys.argv[1]))
    rclpy.spin_once(listener, timeout_sec=0.1)
heard = publisher.get_subscription_count()
try:
    node.publisher("seg", "absent_msgs/msg/Image")
except SinkError as error:
    got.append(str(error))
node.close()
print(json.dumps([got[0], got[-1], alone, heard]))
"""


def ros_python() -> str:
    interpreter = os.environ.get("EDGESEG_ROS_PYTHON")
    if not interpreter:
        pytest.skip("EDGESEG_ROS_PYTHON names no Python with rclpy, rmw_fastrtps_cpp and sensor_msgs")
    return interpreter


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """A ROS domain on the loopback interface that no other test run uses, one hopes."""
    number = 1 + os.getpid() % 100
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    monkeypatch.setenv("CYCLONEDDS_URI", LOOPBACK)
    return number


def listen(domain: int, script: str = SUBSCRIBER, interpreter: str = sys.executable, masks: int = MASKS) -> Listener:
    """A process that ends when it has heard so many masks."""
    environment = {**os.environ, **({"PYTHONPATH": str(ROOT)} if interpreter == sys.executable else {})}
    command = [interpreter, "-c", script, str(domain), str(masks)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def publish_until_heard(process: Listener) -> dict[str, dict[str, list]]:
    """Publishes masks until the listener has enough of them. Returns topic -> stamp -> what was sent there."""
    sent: dict[str, dict[str, list]] = {"": {}, "/overlay": {}, "/confidence": {}}
    bundle = scene_bundle()
    channel, outbox = Ros2Channel("camera/seg", bundle, "scene"), Outbox(bundle)
    try:
        index = 0
        while process.poll() is None:
            outgoing = outbox(scene_result(index, captured_ns=time.monotonic_ns()), index + 1)
            stamp, painted = str(outgoing.captured_wall_ns), outgoing.painted(bundle.palette)
            sure = np.where(disc(index), 230, 153).astype(np.uint8)
            sent[""][stamp] = [HEIGHT, WIDTH, "mono8", digest(outgoing.labels)]
            sent["/overlay"][stamp] = [HEIGHT, WIDTH, "bgr8", digest(painted)]
            sent["/confidence"][stamp] = [HEIGHT, WIDTH, "mono8", digest(sure)]
            channel.send(outgoing)
            channel.beat(Health())
            time.sleep(0.005)
            index += 1
    finally:
        channel.close()
    return sent


def assert_same(got: dict[str, dict[str, list]], sent: dict[str, dict[str, list]], at_least: int) -> None:
    for path, images in got.items():
        assert len(images) >= at_least
        assert all(sent[path][stamp] == image for stamp, image in images.items())


def test_a_process_with_dds_alone_gets_all_images_byte_for_byte_and_the_class_names(domain: int) -> None:
    listener = listen(domain)
    sent = publish_until_heard(listener)
    got, names = json.loads(listener.communicate()[0])
    assert_same(got, sent, MASKS)
    assert len({mask[3] for mask in got[""].values()}) > 10, "the masks differ"
    assert names == [list(entry) for entry in enumerate(CLASSES)]


def test_a_genuine_rclpy_subscriber_gets_all_images_byte_for_byte(domain: int) -> None:
    listener = listen(domain, GENUINE, ros_python(), GENUINE_MASKS)
    sent = publish_until_heard(listener)
    got, _ = json.loads(listener.communicate()[0])
    assert_same(got, sent, GENUINE_MASKS)


def test_the_same_bytes_leave_through_the_users_own_rclpy(domain: int) -> None:
    labels = np.arange(60, dtype=np.uint8).reshape(6, 10)
    cdr = RosMessages(type_store(), "camera").image(labels, 5 * 10**9)
    answer = subprocess.run(
        [ros_python(), "-c", THROUGH_RCLPY, cdr.hex()],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    got, error, alone, heard = json.loads(answer.stdout)
    assert (alone, heard) == (0, 1)
    assert got == [5, labels.tobytes().hex()]
    assert "this ROS has no absent_msgs: apt install ros-$ROS_DISTRO-absent-msgs" in error


def test_a_subscriber_that_never_reads_does_not_stop_the_others(domain: int) -> None:
    stopped = listen(domain)
    stopped.send_signal(signal.SIGSTOP)  # it is there, and takes nothing
    try:
        listener = listen(domain)
        sent = publish_until_heard(listener)
        got, _ = json.loads(listener.communicate()[0])
        assert_same(got, sent, MASKS)
    finally:
        stopped.kill()
        stopped.communicate()


def test_what_nobody_listens_to_is_not_even_made(domain: int) -> None:
    channel = Ros2Channel("unheard", scene_bundle(), "scene")
    nothing: Any = None
    channel.send(replace(Outbox(scene_bundle())(scene_result(), 1), labels=nothing, result=nothing))
    channel.close()


def test_a_closed_channel_has_left_the_domain(domain: int) -> None:
    reader = subscribed(domain, "leaving", IMAGE)
    channel = Ros2Channel("leaving", scene_bundle(), "scene")
    wait_until(lambda: len(reader.get_matched_publications()) == 1)
    channel.close()
    wait_until(lambda: not reader.get_matched_publications())


def subscribed(domain: int, topic: str, kind: str) -> Any:
    """Returns a reader of a topic, in this process."""
    from cyclonedds.core import Policy, Qos
    from cyclonedds.domain import DomainParticipant
    from cyclonedds.sub import DataReader
    from cyclonedds.topic import Topic

    from edgeseg.streaming.publish.dds import idl_type

    participant, qos = DomainParticipant(domain), Qos(Policy.Reliability.Reliable(10**8))
    return DataReader(participant, Topic(participant, f"rt/{topic}", idl_type(type_store(), kind), qos=qos), qos=qos)


def taken(reader: Any) -> list[Any]:
    """Returns the messages that have come, once there are any."""
    messages: list[Any] = []
    wait_until(lambda: bool(messages.extend(reader.take(10)) or messages))
    return messages


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_things_are_sent_as_a_map_and_as_detections(domain: int) -> None:
    things, detections = subscribed(domain, "seg/things", IMAGE), subscribed(domain, "seg/detections", DETECTIONS)
    channel = Ros2Channel("seg", scene_bundle("instances"), "scene", frame_id="front")
    wait_until(lambda: len(things.get_matched_publications()) == len(detections.get_matched_publications()) == 1)
    outgoing = Outbox(scene_bundle("instances"))(scene_result(1, instances=True), 1)
    channel.send(outgoing)
    (image,), (found,) = taken(things), taken(detections)
    channel.close()
    assert outgoing.thing_map is not None
    np.testing.assert_array_equal(np.reshape(image.data, (HEIGHT, WIDTH)), outgoing.thing_map)
    assert [detection.id for detection in found.detections] == ["7", "9"]
    assert image.header.frame_id == found.header.frame_id == "front"
    for stamp in (image.header.stamp, found.header.stamp):
        assert stamp.sec * 10**9 + stamp.nanosec == outgoing.captured_wall_ns


def test_a_domain_that_can_not_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "many")
    with pytest.raises(UsageError, match="ROS_DOMAIN_ID is 'many'"):
        Ros2Channel("seg", scene_bundle(), "scene")


def test_a_network_that_is_not_there_is_one_line(domain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain + 101))
    monkeypatch.setenv("CYCLONEDDS_URI", LOOPBACK.replace('"lo"', '"nowhere0"'))
    with pytest.raises(SinkError, match="could not be joined") as raised:
        Ros2Channel("seg", scene_bundle(), "scene")
    assert "\n" not in str(raised.value)
