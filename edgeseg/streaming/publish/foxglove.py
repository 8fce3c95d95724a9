"""A WebSocket server that Foxglove connects to: "Open connection", ws://localhost:8765."""

from __future__ import annotations

import logging
import re
import time
from threading import Thread

import foxglove
from foxglove import Channel, Context

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outgoing
from edgeseg.streaming.publish.foxglove_messages import HEALTH, FoxgloveMessages, encoding_of

HOST, PORT = "127.0.0.1", 8765
BACKLOG = 32
"""Messages kept for a viewer that does not read; then its oldest are dropped."""
STOP_SECONDS = 1.0


class FoxgloveChannel:
    """Serves viewers; what nobody looks at is not even encoded.

    place: "" for this machine alone at port 8765, or HOST, :PORT, HOST:PORT ("0.0.0.0:8765": whoever reaches it may look).
    Port 0 takes a free one; `address` says which. Raises UsageError, SinkError where the port is taken.
    """

    def __init__(self, place: str, bundle: Bundle) -> None:
        host, port = _host_and_port(place)
        # Without a handler Python prints what the SDK says of every viewer that leaves.
        logging.getLogger("foxglove").addHandler(logging.NullHandler())
        self._messages = FoxgloveMessages(bundle)
        self._messages.also_painted()
        # Kept: the channels end with it.
        self._context = Context()
        self._channels = {
            topic: Channel(topic, schema=schema, message_encoding=encoding_of(schema), context=self._context)
            for topic, schema in self._messages.schemas.items()
        }
        try:
            self._server = foxglove.start_server(
                name="edgeseg", host=host, port=port, context=self._context, message_backlog_size=BACKLOG
            )
        except RuntimeError as error:
            raise SinkError(
                f"foxglove://{host}:{port} can't be served ({str(error).rpartition(': ')[2]}): "
                "give another, such as foxglove://:8766"
            ) from error
        self.address = f"foxglove://{host}:{self._server.port}"

    def send(self, outgoing: Outgoing) -> None:
        """Sends one result on the topics that somebody looks at."""
        for topic, encode in self._messages.encoders.items():
            if self._channels[topic].has_sinks():
                self._channels[topic].log(encode(outgoing), log_time=outgoing.captured_wall_ns)

    def beat(self, health: Health) -> None:
        """Sends the health."""
        self._channels[HEALTH].log(health.json(), log_time=time.time_ns())

    def close(self) -> str:
        """Ends the server and its viewers' connections."""
        # It waits for every viewer's goodbye, and one that hangs says none.
        stopping = Thread(target=self._server.stop, name="edgeseg-foxglove-stop", daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)
        for channel in self._channels.values():
            channel.close()
        return ""


def _host_and_port(place: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]*)(?::([0-9]{1,5}))?/?", place)
    port = int(found[2] or PORT) if found else -1
    if found is None or not 0 <= port <= 65535:
        raise UsageError(f"foxglove://{place}: give foxglove://, foxglove://:PORT or foxglove://HOST:PORT")
    return found[1].strip("[]") or HOST, port
