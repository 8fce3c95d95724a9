"""A stream from a real RTSP server that is killed, frozen and restarted comes back, and shows nothing old as new.

The pictures carry the moment when they were made (see rtsp_server.py): a frame's true age is read off its pixels.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeseg.streaming.sources.network import NetworkSource

from .conftest import read_bars

PYTHON = Path("/usr/bin/python3")
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly "
    "python3-gi"
)
CHECK = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "assert all(map(Gst.ElementFactory.find, ('appsrc', 'videoconvert', 'x264enc', 'rtph264pay')))"
)
RETURN_SECONDS = 10.0
"""Far more than it takes (below 1.5 s), for a busy machine."""
OLD_MS = 700.0
"""Past this true age a frame that is not marked stale is an old one shown as new."""


class Camera:
    """The server program: a camera on the network that can be killed and frozen."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"rtsp://user:secret@127.0.0.1:{self._port}/live"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, width: int = 640, height: int = 360) -> None:
        program = Path(__file__).with_name("rtsp_server.py")
        command = [str(PYTHON), str(program), str(self._port), str(width), str(height)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@dataclass
class Seen:
    """A frame as it came. arrived_ms: on the monotonic clock. age_ms: its true age. claimed_ms: by its captured_ns."""

    index: int
    arrived_ms: float
    age_ms: float
    claimed_ms: float
    stale: bool
    damage: str
    size: tuple[int, int]


class Viewer:
    """Looks at all that a source gives, in a thread of its own; `pause` is a reader that does not read."""

    def __init__(self, url: str) -> None:
        self.source = NetworkSource(url)
        self.seen: list[Seen] = []
        self.flows = threading.Event()
        self.flows.set()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        for frame in self.source:
            now = time.monotonic_ns()
            age, claimed = now / 1e6 - read_bars(frame.image), (now - frame.captured_ns) / 1e6
            size = frame.image.shape[1], frame.image.shape[0]
            self.seen.append(Seen(frame.index, now / 1e6, age, claimed, frame.stale, frame.damage, size))
            self.flows.wait()

    def fresh_after(self, moment_ms: float, count: int = 10) -> list[Seen]:
        """Waits for frames that came after this moment and count as new."""
        until = time.monotonic() + RETURN_SECONDS
        while time.monotonic() < until:
            fresh = [seen for seen in self.seen if seen.arrived_ms > moment_ms and not seen.stale and not seen.damage]
            if len(fresh) >= count:
                return fresh
            time.sleep(0.02)
        raise AssertionError(f"the stream did not come back within {RETURN_SECONDS} s: {self.source.status}")

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self.flows.set()
        self.source.close()
        self._thread.join(RETURN_SECONDS)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def _server_program() -> None:
    try:
        subprocess.run([PYTHON, "-c", CHECK], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"no RTSP server here: apt install {PACKAGES}")


@pytest.fixture
def camera(_server_program: None) -> Iterator[Camera]:
    camera = Camera()
    camera.start()
    yield camera
    camera.kill()


@pytest.fixture
def viewer(camera: Camera) -> Iterator[Viewer]:
    viewer = Viewer(camera.url)
    viewer.fresh_after(0)
    yield viewer
    viewer.close()
    assert [seen.index for seen in viewer.seen] == list(range(len(viewer.seen)))
    assert all("secret" not in text for text in (viewer.source.address, viewer.source.status))


def now_ms() -> float:
    return time.monotonic_ns() / 1e6


def assert_nothing_old_as_new(viewer: Viewer) -> None:
    old = [seen for seen in viewer.seen if not seen.stale and not seen.damage and seen.age_ms > OLD_MS]
    assert not old


def test_a_server_that_is_killed_and_restarted_with_another_size(camera: Camera, viewer: Viewer) -> None:
    camera.kill()
    time.sleep(0.5)
    assert viewer.source.status.startswith("reconnecting: ")
    camera.start(320, 180)
    fresh = viewer.fresh_after(now_ms())
    assert fresh[0].size == (320, 180)
    assert viewer.source.status == ""
    assert_nothing_old_as_new(viewer)


def test_a_server_that_freezes_longer_than_is_waited_for(camera: Camera, viewer: Viewer) -> None:
    camera.send(signal.SIGSTOP)
    time.sleep(3.0)
    assert viewer.source.status.startswith("reconnecting: ")
    camera.send(signal.SIGCONT)
    viewer.fresh_after(now_ms())
    assert_nothing_old_as_new(viewer)


def test_what_piled_up_before_a_slow_reader_is_marked_stale(viewer: Viewer) -> None:
    viewer.flows.clear()
    time.sleep(2.0)
    viewer.flows.set()
    resumed = now_ms()
    viewer.fresh_after(resumed)
    late = [seen for seen in viewer.seen if seen.arrived_ms > resumed and seen.stale]
    assert len(late) > 20
    assert_nothing_old_as_new(viewer)
    # Also a stale frame is honest about its age, but for what encoder, network and decoder always take.
    assert max(abs(seen.age_ms - seen.claimed_ms) for seen in late) < OLD_MS


def test_closing_while_the_server_is_frozen(camera: Camera, viewer: Viewer) -> None:
    camera.send(signal.SIGSTOP)
    viewer.close()
    assert viewer.ended
