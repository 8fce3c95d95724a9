"""Masks as ROS 2 topics.

TOPIC              sensor_msgs/Image mono8: the label map, stamped with its frame's capture time
TOPIC/label_info   vision_msgs/LabelInfo: the names of the ids, also for who subscribes later
TOPIC/things       sensor_msgs/Image mono8, of an instance model: 0 where there is no thing, k where it is the k-th of
TOPIC/detections   vision_msgs/Detection2DArray: class, score, box and id of each thing, with the same stamp
diagnostics        diagnostic_msgs/DiagnosticArray: the health, each second
"""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Callable
from typing import Any

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outgoing
from edgeseg.streaming.sinks.ros_messages import DETECTIONS, DIAGNOSTICS, IMAGE, LABEL_INFO, RosMessages, type_store


class Ros2Channel:
    """Publishes through the user's rclpy where there is one, else through DDS as a ROS node would.

    topic: such as "camera/segmentation". frame_id: the camera's coordinate frame. Raises UsageError, SinkError.
    """

    def __init__(self, topic: str, bundle: Bundle, source: str, frame_id: str = "camera") -> None:
        self.address = f"ros2://{topic}"
        topic = topic.strip("/")
        if not re.fullmatch(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)*", topic, re.ASCII):
            raise UsageError(f"{self.address}: give a topic such as ros2://camera/segmentation")
        self._topic, self._bundle, self._source = topic, bundle, source
        store = type_store()
        self._messages = RosMessages(store, frame_id)
        self._node = _node(store)
        publisher: Callable[..., Callable[[bytes], None]] = self._node.publisher
        self._labels = publisher(topic, IMAGE)
        self._label_info = publisher(f"{topic}/label_info", LABEL_INFO, latched=True)
        self._health = publisher("diagnostics", DIAGNOSTICS)
        if bundle.task == "instances":
            self._things = publisher(f"{topic}/things", IMAGE)
            self._detections = publisher(f"{topic}/detections", DETECTIONS)
        self._label_info(self._messages.label_info(bundle.classes, time.time_ns()))

    def send(self, outgoing: Outgoing) -> None:
        """Publishes the label map, and of an instance model the things with it."""
        stamp_ns = outgoing.captured_wall_ns
        self._labels(self._messages.image(outgoing.labels, stamp_ns))
        if outgoing.thing_map is not None:
            self._things(self._messages.image(outgoing.thing_map, stamp_ns))
            self._detections(self._messages.detections(outgoing, self._bundle.classes))

    def beat(self, health: Health) -> None:
        """Publishes the health."""
        name = f"edgeseg: {self._topic}"
        self._health(self._messages.diagnostics(health, name, self._source, time.time_ns()))

    def close(self) -> str:
        """Leaves the ROS domain."""
        self._node.close()
        return ""


def _node(store: Any) -> Any:
    if importlib.util.find_spec("rclpy") is not None:
        from edgeseg.streaming.sinks.ros_node import RosNode

        return RosNode()
    from edgeseg.streaming.sinks.dds import DdsNode

    return DdsNode(store)
