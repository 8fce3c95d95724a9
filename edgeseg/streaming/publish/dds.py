"""ROS 2 topics without a ROS installation: the DDS beneath them, by cyclonedds."""

from __future__ import annotations

import os
from typing import Any

from cyclonedds.core import DDSException, Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import make_idl_struct, types
from cyclonedds.pub import DataWriter
from cyclonedds.topic import Topic
from rosbags.interfaces import Nodetype
from rosbags.typesys.store import Typestore

from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.publish.publisher import ReceiverBusy

BLOCK_NS = 100_000_000
SCALARS: dict[str, Any] = {
    "bool": bool,
    "byte": types.byte,
    "char": types.uint8,
    "string": str,
    **{name: getattr(types, name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")},
    **{name: getattr(types, name) for name in ("uint64", "float32", "float64")},
}


class DdsNode:
    """A participant of the ROS domain that ROS_DOMAIN_ID names (0 without it). CYCLONEDDS_URI configures it.

    store: where the types of messages are known. Raises UsageError, SinkError.
    """

    def __init__(self, store: Typestore) -> None:
        domain = os.environ.get("ROS_DOMAIN_ID", "") or "0"
        if not domain.isdecimal() or int(domain) > 232:
            raise UsageError(f"ROS_DOMAIN_ID is {domain!r}: give a number from 0 to 232")
        try:
            self._participant = DomainParticipant(int(domain))
        except DDSException as error:
            raise SinkError(
                f"DDS domain {domain} could not be joined ({error.msg}): is a network up, is CYCLONEDDS_URI right?"
            ) from error
        self._store = store
        self._publishers: list[DdsPublisher] = []

    def publisher(self, topic: str, kind: str, *, latched: bool = False) -> DdsPublisher:
        """Returns a publisher. latched: who comes later gets the last message too."""
        durability = Policy.Durability.TransientLocal if latched else Policy.Durability.Volatile
        qos = Qos(
            # Reliable: a subscriber with ROS's default settings takes nothing from a best-effort writer.
            Policy.Reliability.Reliable(BLOCK_NS),
            Policy.History.KeepLast(1),
            durability,
            Policy.DataRepresentation(use_cdrv0_representation=True),
        )
        message = idl_type(self._store, kind)
        writer = DataWriter(self._participant, Topic(self._participant, f"rt/{topic}", message, qos=qos), qos=qos)
        self._publishers.append(DdsPublisher(topic, message, writer))
        return self._publishers[-1]

    def close(self) -> None:
        """Leaves the domain."""
        for publisher in self._publishers:
            publisher.close()
        del self._participant


class DdsPublisher:
    """Speaks like rclpy's."""

    def __init__(self, topic: str, message: Any, writer: DataWriter) -> None:
        class Encoded(message):
            """A message whose bytes are there already: cyclonedds would spend milliseconds on each."""

            def __init__(self, cdr: bytes) -> None:
                object.__setattr__(self, "cdr", cdr)

            def serialize(self, *_: Any, **__: Any) -> bytes:
                return self.cdr

        self._topic, self._encoded, self._writer = topic, Encoded, writer

    def publish(self, cdr: bytes) -> None:
        """Sends the CDR bytes of a message. Raises ReceiverBusy, SinkError."""
        try:
            self._writer.write(self._encoded(cdr))
        except DDSException as error:
            if error.code == DDSException.DDS_RETCODE_TIMEOUT:
                raise ReceiverBusy from error
            raise SinkError(f"ros2://{self._topic}: DDS takes no more ({error.msg})") from error

    def get_subscription_count(self) -> int:
        """How many listen now."""
        return len(self._writer.get_matched_subscriptions())

    def close(self) -> None:
        """Is no longer there for who listens: cyclonedds deletes what nothing refers to."""
        del self._writer


def idl_type(store: Typestore, kind: str) -> Any:
    """Returns the IDL type of a ROS message type, "sensor_msgs/msg/Image", under the name that ROS gives it in DDS."""
    package, _, name = kind.split("/")
    fields = {field: _field_type(store, node) for field, node in store.fielddefs[kind][1]}
    return make_idl_struct(f"{name}_", f"{package}.msg.dds_.{name}_", fields)


def _field_type(store: Typestore, node: Any) -> Any:
    form, detail = node
    if form == Nodetype.BASE:
        return SCALARS[detail[0]]
    if form == Nodetype.NAME:
        return idl_type(store, detail)
    inner, count = detail
    if form == Nodetype.ARRAY:
        return types.array[_field_type(store, inner), count]
    return types.sequence[_field_type(store, inner)]
