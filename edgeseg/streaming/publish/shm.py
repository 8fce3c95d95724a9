"""The newest mask in shared memory, for processes on the same machine. A reader needs numpy alone: demos/02_robot_masks.py.

The file /dev/shm/edgeseg-NAME, little-endian:

    0      HEAD: magic, how many places there are and their size, sequence number of the newest mask (0: none yet), time of
           the last heartbeat
    4096   CLASSES: a JSON array of the class names, by id
    32768  HEALTH: a JSON object, `edgeseg.streaming.health.Health`
    65536  PLACES: mask n lies in place n % places: PLACE, then labels, uint8 [height, width]; where planes is 2, the thing
           map, uint8 [height, width]; then the things, each one a `edgeseg.streaming.outgoing.THING`

JSON stands behind its length and CRC-32 (uint32 each). A place begins with the CRC-32 of what it holds. Whoever copies it
and finds that right has a whole mask, on every processor and whenever the writer was stopped; else the writer was at
work there, and the newest mask is already another one. A file is never changed in size: a larger mask, or a publisher that
was started again, comes with a new file of the same name, so that a reader compares inodes now and then.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import os
import re
import time
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.health import Health
from edgeseg.streaming.outgoing import MOST_THINGS, THING, Outgoing

FOLDER = Path("/dev/shm")
MAGIC = int.from_bytes(b"edgeseg1", "little")
COUNT = 4
CLASSES_AT, HEALTH_AT, PLACES_AT = 4096, 32768, 65536
HEAD = np.dtype([("magic", "<u8"), ("places", "<u8"), ("size", "<u8"), ("newest", "<u8"), ("beat_ns", "<i8")])
PLACE = np.dtype(
    [
        ("checksum", "<u4"),
        ("length", "<u4"),
        ("sequence", "<u8"),
        ("frame", "<u8"),
        ("captured_ns", "<i8"),
        ("captured_wall_ns", "<i8"),
        ("height", "<u4"),
        ("width", "<u4"),
        ("planes", "<u4"),
        ("things", "<u4"),
        ("unused", "<u8"),
    ]
)
"""64 bytes. checksum: of the bytes 8..length of the place.
captured_ns: of the clock that time.monotonic_ns and CLOCK_MONOTONIC read, the same in all processes."""


class ShmChannel:
    """Keeps the newest masks in a file of shared memory, which is gone when this is closed.

    name: letters, digits, dot, dash, underscore. Raises UsageError for another name, SinkError where a living process
    publishes under it already or there is no room.
    """

    def __init__(self, name: str, classes: tuple[str, ...]) -> None:
        self.address = f"shm://{name}"
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name):
            raise UsageError(f"{self.address}: a name is made of letters, digits, dot, dash and underscore")
        if not FOLDER.is_dir():
            raise SinkError(f"{self.address}: this system has no {FOLDER}: take zenoh://{name}")
        self._path = FOLDER / f"edgeseg-{name}"
        self._classes = classes
        self._file = -1
        self._memory: mmap.mmap | None = None
        self._size = 0
        self._refuse_a_second_publisher()
        self._open(0)

    def send(self, outgoing: Outgoing) -> None:
        """Writes one mask and makes it the newest."""
        planes = [plane for plane in (outgoing.labels, outgoing.thing_map) if plane is not None]
        things = np.zeros(0, THING) if outgoing.things is None else outgoing.things
        pixels = PLACE.itemsize + len(planes) * outgoing.labels.size
        length = pixels + things.nbytes
        if length > self._size:
            self._open(pixels + (len(planes) - 1) * MOST_THINGS * THING.itemsize)
        place = np.zeros(1, PLACE)
        place["length"], place["sequence"], place["frame"] = length, outgoing.sequence, outgoing.result.frame.index
        place["captured_ns"], place["captured_wall_ns"] = outgoing.result.frame.captured_ns, outgoing.captured_wall_ns
        place["height"], place["width"] = outgoing.labels.shape
        place["planes"], place["things"] = len(planes), len(things)
        begin = PLACES_AT + outgoing.sequence % COUNT * self._size
        body = self._view(begin, length)
        body[: PLACE.itemsize] = place.view(np.uint8)
        for number, plane in enumerate(planes):
            body[PLACE.itemsize + number * plane.size :][: plane.size] = plane.reshape(-1)
        body[pixels:] = things.view(np.uint8)
        assert self._memory is not None
        body[:4].view("<u4")[0] = zlib.crc32(memoryview(self._memory)[begin + 8 : begin + length])
        self._view(0, HEAD.itemsize).view(HEAD)["newest"] = outgoing.sequence

    def beat(self, health: Health) -> None:
        """Writes the health and when it was written."""
        self._write_json(HEALTH_AT, health.figures(), PLACES_AT)
        self._view(0, HEAD.itemsize).view(HEAD)["beat_ns"] = time.monotonic_ns()

    def close(self) -> str:
        """Removes the file; readers keep what they have."""
        if self._memory is not None:
            with contextlib.suppress(FileNotFoundError):
                if self._path.stat().st_ino == os.fstat(self._file).st_ino:
                    self._path.unlink()
            self._let_go()
        return ""

    def _refuse_a_second_publisher(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            found = os.open(self._path, os.O_RDONLY)
            try:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SinkError(f"{self.address} is in use: another process publishes there; choose a name") from error
            finally:
                os.close(found)

    def _open(self, size: int) -> None:
        """Puts a file with places of so many bytes where the one before stood."""
        size = -(-size // 64) * 64
        draft = self._path.with_name(f".{self._path.name}-{os.getpid()}")
        file = -1
        try:
            file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
            # Asked for now: a page that is missing later would end the process by a signal.
            os.posix_fallocate(file, 0, PLACES_AT + COUNT * size)
        except OSError as error:
            if file >= 0:
                os.close(file)
            draft.unlink(missing_ok=True)
            raise SinkError(
                f"{self.address}: no room for {COUNT * size} bytes in {FOLDER} ({error.strerror})"
            ) from error
        # The kernel lets go of it with the process, however that ends.
        fcntl.flock(file, fcntl.LOCK_EX)
        self._let_go()
        self._file, self._size = file, size
        self._memory = mmap.mmap(file, PLACES_AT + COUNT * size)
        self._write_json(CLASSES_AT, self._classes, HEALTH_AT)
        head = np.zeros(1, HEAD)
        head["magic"], head["places"], head["size"], head["beat_ns"] = MAGIC, COUNT, size, time.monotonic_ns()
        self._view(0, HEAD.itemsize)[:] = head.view(np.uint8)
        draft.replace(self._path)

    def _let_go(self) -> None:
        if self._memory is not None:
            self._memory.close()
            self._memory = None
            os.close(self._file)

    def _view(self, begin: int, size: int) -> NDArray[np.uint8]:
        assert self._memory is not None
        return np.frombuffer(self._memory, np.uint8, size, begin)

    def _write_json(self, begin: int, value: object, end: int) -> None:
        text = json.dumps(value).encode()
        if len(text) + 8 > end - begin:
            raise SinkError(f"{self.address}: {len(text)} bytes of class names or health do not fit")
        head = np.array([len(text), zlib.crc32(text)], "<u4").tobytes()
        self._view(begin, len(text) + 8)[:] = np.frombuffer(head + text, np.uint8)
