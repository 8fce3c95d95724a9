"""ROS 2 topics through the user's own ROS installation: rclpy."""

from __future__ import annotations

import importlib

import rclpy  # pyright: ignore[reportMissingImports]  (it comes with ROS, not from PyPI)
from rclpy.context import Context  # pyright: ignore[reportMissingImports]
from rclpy.publisher import Publisher  # pyright: ignore[reportMissingImports]
from rclpy.qos import DurabilityPolicy, QoSProfile  # pyright: ignore[reportMissingImports]

from edgeseg.core.errors import SinkError


class RosNode:
    """The node "edgeseg". It only publishes, so that nothing need spin it."""

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("edgeseg", context=self._context)

    def publisher(self, topic: str, kind: str, *, latched: bool = False) -> Publisher:
        """Returns a publisher; rclpy's take a message's CDR bytes too. latched: who comes later gets the last one too."""
        package, _, name = kind.split("/")
        try:
            message = getattr(importlib.import_module(f"{package}.msg"), name)
        except ModuleNotFoundError as error:
            raise SinkError(
                f"ros2://{topic}: this ROS has no {package}: apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
            ) from error
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        return self._node.create_publisher(message, f"/{topic}", QoSProfile(depth=1, durability=durability))

    def close(self) -> None:
        """Ends the node."""
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)
