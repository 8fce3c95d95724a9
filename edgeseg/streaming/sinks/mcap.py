"""A recording in MCAP, Foxglove's file format: picture, masks, things, timing and health."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from mcap.writer import Writer

from edgeseg.core.bundle import Bundle
from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import Outgoing
from edgeseg.streaming.publish.foxglove_messages import HEALTH, FoxgloveMessages, encoding_of

FLUSH_NS = 500_000_000


class McapChannel:
    """Writes straight to the file, a chunk at least every half second, so that a process that is killed leaves all before it.

    Times are capture times, since 1970; of health, when it was asked for. A file without its end, after a kill or on a full
    disk, is read by Foxglove, by `mcap recover` and by any reader that goes through it from the front.
    path: ends in .mcap and must not exist: a recording is never overwritten. Raises UsageError, SinkError.
    """

    def __init__(self, path: Path, bundle: Bundle) -> None:
        self.address = str(path)
        if path.suffix.lower() != ".mcap":
            raise UsageError(f"--record {path}: give a name that ends in .mcap")
        try:
            self._file = path.open("xb")
        except FileExistsError as error:
            raise UsageError(f"--record {path} exists already: choose another name, or move it away") from error
        except OSError as error:
            raise SinkError(f"{path} can't be written ({error.strerror}): choose another place") from error
        self._path = path
        self._messages = FoxgloveMessages(bundle)
        self._writer: Writer | None = Writer(self._file)
        self._count = self._flushed_ns = self._whole = 0
        self._channels: dict[str, int] = {}
        self._start(self._writer, bundle)

    def send(self, outgoing: Outgoing) -> None:
        """Records one result. Raises SinkError where the disk is full; what was recorded so far stays readable."""
        for topic, encode in self._messages.encoders.items():
            self._add(topic, encode(outgoing), outgoing.captured_wall_ns)
        self._count += 1
        self._flush_now_and_then()

    def beat(self, health: Health) -> None:
        """Records the health."""
        self._add(HEALTH, health.json(), time.time_ns())
        self._flush_now_and_then()

    def close(self) -> str:
        """Writes index and end, and returns the path."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.finish()
                self._file.close()
            except OSError as error:
                raise self._stopped(error) from error
        return self.address

    def _start(self, writer: Writer, bundle: Bundle) -> None:
        writer.start(library="edgeseg")
        for topic, schema in self._messages.schemas.items():
            number = writer.register_schema(schema.name, schema.encoding, schema.data)
            self._channels[topic] = writer.register_channel(topic, encoding_of(schema), number)
        classes = {str(number): name for number, name in enumerate(bundle.classes)}
        writer.add_metadata("edgeseg classes", classes)

    def _add(self, topic: str, data: bytes, stamp_ns: int) -> None:
        if self._writer is None:
            return
        try:
            self._writer.add_message(self._channels[topic], stamp_ns, data, stamp_ns, self._count)
        except OSError as error:
            raise self._stopped(error) from error

    def _flush_now_and_then(self) -> None:
        now = time.monotonic_ns()
        if self._writer is None or now - self._flushed_ns < FLUSH_NS:
            return
        try:
            self._writer.flush()
        except OSError as error:
            raise self._stopped(error) from error
        self._flushed_ns, self._whole = now, self._file.tell()

    def _stopped(self, error: OSError) -> SinkError:
        """Gives the recording up. What was written since the last chunk is cut off: half a record helps nobody."""
        self._writer = None
        with contextlib.suppress(OSError):
            self._file.raw.close()
        os.truncate(self._path, self._whole)
        return SinkError(
            f"{self._path}: recording stopped after {self._count} frames ({error.strerror}); is the disk full?"
        )
