"""Masks as ROS 2 topics.

TOPIC              sensor_msgs/Image mono8: the label map, stamped with its frame's capture time
TOPIC/label_info   vision_msgs/LabelInfo: the names of the ids, also for who subscribes later
TOPIC/overlay      sensor_msgs/Image bgr8: the picture with its classes, or things, in colour
TOPIC/confidence   sensor_msgs/Image mono8, of a semantic model: how sure it is of each pixel's class, 255 for certain
TOPIC/things       sensor_msgs/Image mono8, of an instance model: 0 where there is no thing, k where it is the k-th of
TOPIC/detections   vision_msgs/Detection2DArray: class, score, box and id of each thing, with the same stamp
diagnostics        diagnostic_msgs/DiagnosticArray: the health, each second

What nobody subscribes to is not even made.
"""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outgoing
from edgeseg.streaming.publish.ros_messages import DETECTIONS, DIAGNOSTICS, IMAGE, LABEL_INFO, RosMessages, type_store

Encoder = Callable[[Outgoing], bytes | None]
"""Makes a message's CDR bytes of a result, or None where it has nothing to say."""


class RosPublisher(Protocol):
    """What rclpy's publishers do, of a message's CDR bytes."""

    def publish(self, cdr: bytes) -> None: ...

    def get_subscription_count(self) -> int: ...


class Ros2Channel:
    """Publishes through the user's rclpy where there is one, else through DDS as a ROS node would.

    topic: such as "camera/segmentation". frame_id: the camera's coordinate frame. Raises UsageError, SinkError.
    """

    def __init__(self, topic: str, bundle: Bundle, source: str, frame_id: str = "camera") -> None:
        self.address = f"ros2://{topic}"
        topic = topic.strip("/")
        if not re.fullmatch(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)*", topic, re.ASCII):
            raise UsageError(f"{self.address}: give a topic such as ros2://camera/segmentation")
        self._topic, self._source = topic, source
        store = type_store()
        self._messages = RosMessages(store, frame_id)
        self._node = _node(store)
        publisher: Callable[..., RosPublisher] = self._node.publisher
        self._encoders = _encoders(self._messages, bundle)
        self._publishers = {path: publisher(f"{topic}{path}", kind) for path, (kind, _) in self._encoders.items()}
        self._health = publisher("diagnostics", DIAGNOSTICS)
        self._label_info = publisher(f"{topic}/label_info", LABEL_INFO, latched=True)
        self._label_info.publish(self._messages.label_info(bundle.classes, time.time_ns()))

    def send(self, outgoing: Outgoing) -> None:
        """Publishes one result on the topics that somebody listens to."""
        for path, (_, encode) in self._encoders.items():
            if self._publishers[path].get_subscription_count():
                message = encode(outgoing)
                if message is not None:
                    self._publishers[path].publish(message)

    def beat(self, health: Health) -> None:
        """Publishes the health."""
        name = f"edgeseg: {self._topic}"
        self._health.publish(self._messages.diagnostics(health, name, self._source, time.time_ns()))

    def close(self) -> str:
        """Leaves the ROS domain."""
        self._node.close()
        return ""


def _encoders(messages: RosMessages, bundle: Bundle) -> dict[str, tuple[str, Encoder]]:
    """Returns what stands behind the topic's name -> the kind of message, and what makes it of a result."""

    def image(pixels_of: Callable[[Outgoing], NDArray[np.uint8] | None]) -> tuple[str, Encoder]:
        def encode(outgoing: Outgoing) -> bytes | None:
            pixels = pixels_of(outgoing)
            return None if pixels is None else messages.image(pixels, outgoing.captured_wall_ns)

        return IMAGE, encode

    encoders = {
        "": image(lambda outgoing: outgoing.labels),
        "/overlay": image(lambda outgoing: outgoing.painted(bundle.palette)),
    }
    if bundle.task == "instances":
        encoders["/things"] = image(lambda outgoing: outgoing.thing_map)
        encoders["/detections"] = DETECTIONS, lambda outgoing: messages.detections(outgoing, bundle.classes)
    else:
        encoders["/confidence"] = image(lambda outgoing: outgoing.confidence)
    return encoders


def _node(store: Any) -> Any:
    if importlib.util.find_spec("rclpy") is not None:
        from edgeseg.streaming.publish.ros_node import RosNode

        return RosNode()
    from edgeseg.streaming.publish.dds import DdsNode

    return DdsNode(store)
