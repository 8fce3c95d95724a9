"""ROS 2 messages of what leaves, as the CDR bytes that travel: made without a ROS installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import UNTRACKED, Outgoing

IMAGE = "sensor_msgs/msg/Image"
LABEL_INFO = "vision_msgs/msg/LabelInfo"
DETECTIONS = "vision_msgs/msg/Detection2DArray"
DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
OK, WARN, ERROR = 0, 1, 2

VISION_MSGS = {
    "Point2D": "float64 x\nfloat64 y",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "ObjectHypothesis": "string class_id\nfloat64 score",
    "ObjectHypothesisWithPose": "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose",
    "Detection2D": "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
    "vision_msgs/BoundingBox2D bbox\nstring id",
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
    "VisionClass": "uint16 class_id\nstring class_name",
    "LabelInfo": "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold",
}
"""Those of vision_msgs 4 (Humble and later) that are sent; the type store has what comes with ROS itself."""


def type_store() -> Typestore:
    """Returns the store of all types that are sent."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for name, definition in VISION_MSGS.items():
        store.register(get_types_from_msg(definition, f"vision_msgs/msg/{name}"))
    return store


class RosMessages:
    """Encodes messages. store: from `type_store`. frame_id: the coordinate frame that the camera has on the robot."""

    def __init__(self, store: Typestore, frame_id: str) -> None:
        self._store, self._frame_id = store, frame_id

    def image(self, pixels: NDArray[np.uint8], stamp_ns: int) -> bytes:
        """sensor_msgs/Image: mono8 of uint8 [H, W], bgr8 of uint8 [H, W, 3]. stamp_ns: since 1970."""
        height, width = pixels.shape[:2]
        encoding = "mono8" if pixels.ndim == 2 else "bgr8"
        data = np.ascontiguousarray(pixels).reshape(-1)
        return self._encode(IMAGE, self._header(stamp_ns), height, width, encoding, 0, data.size // height, data)

    def label_info(self, classes: Sequence[str], stamp_ns: int) -> bytes:
        """vision_msgs/LabelInfo: the names by the id that the label map holds."""
        named = [self._make("vision_msgs/msg/VisionClass", number, name) for number, name in enumerate(classes)]
        return self._encode(LABEL_INFO, self._header(stamp_ns), named, 0.0)

    def detections(self, outgoing: Outgoing, classes: Sequence[str]) -> bytes:
        """vision_msgs/Detection2DArray: class name, score, box and id of each thing, in the order of the thing map."""
        header = self._header(outgoing.captured_wall_ns)
        things = outgoing.things if outgoing.things is not None else []
        return self._encode(DETECTIONS, header, [self._detection(thing, header, classes) for thing in things])

    def diagnostics(self, health: Health, name: str, source: str, now_ns: int) -> bytes:
        """diagnostic_msgs/DiagnosticArray with one status: OK, WARN (the source is waiting) or ERROR."""
        level = ERROR if health.error else WARN if health.status else OK
        values = [
            self._make("diagnostic_msgs/msg/KeyValue", key, str(value)) for key, value in health.figures().items()
        ]
        said = health.trouble or "frames flow"
        status = self._make("diagnostic_msgs/msg/DiagnosticStatus", level, name, said, source, values)
        return self._encode(DIAGNOSTICS, self._header(now_ns), [status])

    def _detection(self, thing: Any, header: Any, classes: Sequence[str]) -> Any:
        x0, y0, x1, y1 = (float(side) for side in thing["box"])
        center = self._make(
            "vision_msgs/msg/Pose2D", self._make("vision_msgs/msg/Point2D", (x0 + x1) / 2, (y0 + y1) / 2), 0.0
        )
        hypothesis = self._make("vision_msgs/msg/ObjectHypothesis", classes[thing["label"]], float(thing["score"]))
        result = self._make("vision_msgs/msg/ObjectHypothesisWithPose", hypothesis, self._nowhere())
        box = self._make("vision_msgs/msg/BoundingBox2D", center, x1 - x0, y1 - y0)
        name = "" if thing["id"] == UNTRACKED else str(thing["id"])
        return self._make("vision_msgs/msg/Detection2D", header, [result], box, name)

    def _nowhere(self) -> Any:
        """A pose that says nothing: a picture alone does not tell where a thing stands."""
        point = self._make("geometry_msgs/msg/Point", 0.0, 0.0, 0.0)
        turn = self._make("geometry_msgs/msg/Quaternion", 0.0, 0.0, 0.0, 1.0)
        pose = self._make("geometry_msgs/msg/Pose", point, turn)
        return self._make("geometry_msgs/msg/PoseWithCovariance", pose, np.zeros(36))

    def _header(self, stamp_ns: int) -> Any:
        stamp = self._make("builtin_interfaces/msg/Time", stamp_ns // 10**9, stamp_ns % 10**9)
        return self._make("std_msgs/msg/Header", stamp, self._frame_id)

    def _make(self, kind: str, *fields: Any) -> Any:
        return self._store.types[kind](*fields)

    def _encode(self, kind: str, *fields: Any) -> bytes:
        return bytes(self._store.serialize_cdr(self._make(kind, *fields), kind))
