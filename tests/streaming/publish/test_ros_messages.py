"""The bytes are those that ROS 2 itself would send."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.publish.ros_messages import DETECTIONS, DIAGNOSTICS, IMAGE, LABEL_INFO, RosMessages, type_store
from tests.streaming.scene import CLASSES, scene_bundle, scene_result

STORE = type_store()
MESSAGES = RosMessages(STORE, "camera")
PLANES = arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)))
STAMPS = st.integers(0, 2**31 * 10**9 - 1)


def read(cdr: bytes, kind: str) -> Any:
    return STORE.deserialize_cdr(cdr, kind)


@given(plane=PLANES, stamp_ns=STAMPS)
def test_a_label_map_comes_back_pixel_by_pixel_with_its_stamp(plane: np.ndarray, stamp_ns: int) -> None:
    image = read(MESSAGES.image(plane, stamp_ns), IMAGE)
    np.testing.assert_array_equal(image.data.reshape(image.height, image.step), plane)
    assert (image.width, image.encoding, image.is_bigendian) == (plane.shape[1], "mono8", 0)
    assert image.header.stamp.sec * 10**9 + image.header.stamp.nanosec == stamp_ns
    assert image.header.frame_id == "camera"


def test_a_picture_is_bgr8() -> None:
    picture = scene_result(3).frame.image
    image = read(MESSAGES.image(picture, 5), IMAGE)
    assert (image.height, image.width, image.encoding, image.step) == (120, 160, "bgr8", 480)
    np.testing.assert_array_equal(image.data.reshape(picture.shape), picture)


@settings(max_examples=30, deadline=None)
@given(plane=PLANES, stamp_ns=STAMPS)
def test_the_bytes_are_those_of_another_encoder(plane: np.ndarray, stamp_ns: int) -> None:
    dds = pytest.importorskip("edgeseg.streaming.publish.dds", reason="cyclonedds is not installed")
    message, time_type, header = (
        dds.idl_type(STORE, kind) for kind in (IMAGE, "builtin_interfaces/msg/Time", "std_msgs/msg/Header")
    )
    height, width = plane.shape
    stamp = time_type(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    image = message(
        header=header(stamp=stamp, frame_id="camera"),
        height=height,
        width=width,
        encoding="mono8",
        is_bigendian=0,
        step=width,
        data=plane.ravel().tolist(),
    )
    assert image.serialize(use_version_2=False) == MESSAGES.image(plane, stamp_ns)


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12), max_size=255))
def test_class_names_come_back_by_their_ids(names: list[str]) -> None:
    info = read(MESSAGES.label_info(names, 5), LABEL_INFO)
    assert [(entry.class_id, entry.class_name) for entry in info.class_map] == list(enumerate(names))


def test_things_come_back_in_the_order_of_the_map_with_its_stamp() -> None:
    outgoing = Outbox(scene_bundle("instances"))(scene_result(3, instances=True), 1)
    found = read(MESSAGES.detections(outgoing, CLASSES), DETECTIONS)
    assert found.header.stamp.sec * 10**9 + found.header.stamp.nanosec == outgoing.captured_wall_ns
    assert [detection.id for detection in found.detections] == ["7", "9"]
    disc, ground = found.detections
    assert (disc.results[0].hypothesis.class_id, round(disc.results[0].hypothesis.score, 3)) == ("disc", 0.9)
    assert (ground.bbox.center.position.x, ground.bbox.center.position.y) == (80, 60)
    assert (ground.bbox.size_x, ground.bbox.size_y) == (160, 120)


@pytest.mark.parametrize(
    ("health", "level", "said"),
    [
        (Health(captured=3), 0, "frames flow"),
        (Health(status="reconnecting"), 1, "reconnecting"),
        (Health(status="reconnecting", error="gone"), 2, "gone"),
    ],
)
def test_health_is_a_diagnostic_whose_level_says_whether_to_worry(health: Health, level: int, said: str) -> None:
    (status,) = read(MESSAGES.diagnostics(health, "edgeseg: seg", "camera 0", 5), DIAGNOSTICS).status
    assert (status.level, status.message, status.name, status.hardware_id) == (level, said, "edgeseg: seg", "camera 0")
    assert {value.key: value.value for value in status.values}["captured"] == str(health.captured)
