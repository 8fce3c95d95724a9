"""Masks over zenoh, for robots across hosts.

    KEY          the label map, uint8 [H, W], zlib-compressed (a hundredth of its size)
    KEY/things   of an instance model: the thing map, likewise
    KEY/health   JSON: `edgeseg.streaming.health.Health`, each second

A JSON attachment to each map says sequence, frame, captured_ns (since 1970, on this host's clock), width, height, classes
(names by id) and, of an instance model, things: {id, class, score, box}.
"""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

import zenoh

from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outgoing

FASTEST = 1


class ZenohChannel:
    """Publishes newest masks; what a slow link can't take is dropped on the way, never queued.

    key: a zenoh key without wildcards. connect: the endpoint of a router or peer, such as tcp/192.168.1.5:7447; without
    it, peers on the network find each other. ZENOH_CONFIG may name a configuration file. Raises UsageError, SinkError.
    """

    def __init__(self, key: str, classes: tuple[str, ...], connect: str | None = None) -> None:
        self.address = f"zenoh://{key}"
        self._classes = classes
        try:
            expression = zenoh.KeyExpr(key)
        except zenoh.ZError as error:
            raise UsageError(f"{self.address}: give a key such as zenoh://robot/masks") from error
        if "*" in key or "$" in key:
            raise UsageError(f"{self.address}: a key to publish under has no wildcards")
        try:
            self._session = zenoh.open(_config(connect))
        except zenoh.ZError as error:
            raise SinkError(
                f"{self.address}: zenoh can't be opened ({_line(error)}): check {connect or 'ZENOH_CONFIG'}"
            ) from error
        self._labels = self._publisher(str(expression))
        self._things = self._publisher(f"{key}/things")
        self._health = self._publisher(f"{key}/health")

    def send(self, outgoing: Outgoing) -> None:
        """Publishes the maps of one result."""
        about = json.dumps(self._about(outgoing)).encode()
        self._put(self._labels, zlib.compress(outgoing.labels.tobytes(), FASTEST), about)
        if outgoing.thing_map is not None:
            self._put(self._things, zlib.compress(outgoing.thing_map.tobytes(), FASTEST), about)

    def beat(self, health: Health) -> None:
        """Publishes the health."""
        self._put(self._health, health.json(), None)

    def close(self) -> str:
        """Leaves the network."""
        self._session.close()
        return ""

    def _publisher(self, key: str) -> Any:
        return self._session.declare_publisher(key, congestion_control=zenoh.CongestionControl.DROP, express=True)

    def _put(self, publisher: Any, payload: bytes, attachment: bytes | None) -> None:
        try:
            publisher.put(payload, attachment=attachment)
        except zenoh.ZError as error:
            raise SinkError(f"{self.address}: zenoh takes no more ({_line(error)})") from error

    def _about(self, outgoing: Outgoing) -> dict[str, Any]:
        height, width = outgoing.labels.shape
        about: dict[str, Any] = {
            "sequence": outgoing.sequence,
            "frame": outgoing.result.frame.index,
            "captured_ns": outgoing.captured_wall_ns,
            "width": width,
            "height": height,
            "classes": self._classes,
        }
        if outgoing.things is not None:
            about["things"] = [
                {
                    "id": int(thing["id"]),
                    "class": self._classes[thing["label"]],
                    "score": float(thing["score"]),
                    "box": thing["box"].tolist(),
                }
                for thing in outgoing.things
            ]
        return about


def _config(connect: str | None) -> zenoh.Config:
    if "ZENOH_CONFIG" in os.environ:
        config = zenoh.Config.from_env()
    else:
        config = zenoh.Config()
        # Zenoh's own shared memory serves hosts' neighbours that shm:// serves better, and leaves files behind.
        config.insert_json5("transport/shared_memory/enabled", "false")
    if connect is not None:
        try:
            config.insert_json5("connect/endpoints", json.dumps([connect]))
        except zenoh.ZError as error:
            raise UsageError(f"connect={connect} is no endpoint: give one such as tcp/192.168.1.5:7447") from error
    return config


def _line(error: Exception) -> str:
    # Behind it stands where in zenoh's own sources that was.
    return str(error).partition("\n")[0].partition(" at /")[0].strip()
