"""Streams over http on this machine, and what is said of addresses that don't answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeseg.core.errors import SourceError, UsageError
from edgeseg.streaming.sources import network
from edgeseg.streaming.sources.address import without_credentials
from edgeseg.streaming.sources.network import NetworkSource

from .conftest import ClipWriter, bars, read_bars

Answer = Callable[[BaseHTTPRequestHandler], None]
word = st.text("abcXYZ019-._~!$%&'()*+,;=", min_size=1, max_size=12)


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    """Starts a server on this machine that answers every request so, and gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def send_file(path: Path, share: float = 1.0) -> Answer:
    content = path.read_bytes()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: int(len(content) * share)])

    return answer


def send_mjpeg(request: BaseHTTPRequestHandler, numbers: Iterator[int], pause: float = 0.02) -> None:
    """Sends numbered pictures as an IP camera does, until there are no more or nobody listens."""
    request.send_response(200)
    request.send_header("Content-Type", "multipart/x-mixed-replace;boundary=frame")
    request.end_headers()
    try:
        for number in numbers:
            picture = cv2.imencode(".jpg", bars(number))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            request.wfile.write(head.encode() + picture + b"\r\n")
            time.sleep(pause)
    except OSError:
        return


def test_a_file_on_a_server_gives_every_frame_and_ends(clip: ClipWriter, serve: Callable[[Answer], str]) -> None:
    path = clip("a.mp4", container_options={"movflags": "faststart"})
    with NetworkSource(serve(send_file(path)) + "/a.mp4") as source:
        assert (source.live, source.frames, source.fps) == (False, 30, 25)
        frames = list(source)
    assert [read_bars(frame.image) for frame in frames] == list(range(30))
    assert not any(frame.stale or frame.damage for frame in frames)


def test_a_file_that_the_server_breaks_off_says_so(clip: ClipWriter, serve: Callable[[Answer], str]) -> None:
    path = clip("a.mp4", count=200, container_options={"movflags": "faststart"})
    seen: list[int] = []
    with pytest.raises(SourceError, match=r"broke off after frame \d+ of 200"):
        seen.extend(frame.index for frame in NetworkSource(serve(send_file(path, 0.7)) + "/a.mp4"))
    assert 100 < len(seen) < 200


def test_a_camera_whose_connection_ends_is_opened_again(serve: Callable[[Answer], str]) -> None:
    numbers = iter(range(1000))
    url = serve(lambda request: send_mjpeg(request, islice(numbers, 40)))
    with NetworkSource(url) as source:
        assert source.live
        frames = list(islice(source, 70))
    assert [frame.index for frame in frames] == list(range(70))
    shown = [read_bars(frame.image) for frame in frames]
    assert shown == sorted(set(shown))
    assert shown[-1] >= 69
    assert source.status == ""


def test_status_says_what_is_waited_for(serve: Callable[[Answer], str]) -> None:
    sent = threading.Event()

    def once(request: BaseHTTPRequestHandler) -> None:
        if sent.is_set():
            request.send_error(404)
        else:
            sent.set()
            send_mjpeg(request, iter(range(30)))

    with NetworkSource(serve(once)) as source:
        reader = threading.Thread(target=lambda: [None for _ in source])
        reader.start()
        until = time.monotonic() + 10
        while "404" not in source.status and time.monotonic() < until:
            time.sleep(0.01)
        assert source.status == "reconnecting: server returned 404 not found"
        source.close()
        reader.join(10)
        assert not reader.is_alive()


def test_closing_ends_a_read_that_waits(serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "READ_SECONDS", 0.5)
    frozen = threading.Event()

    def freeze(request: BaseHTTPRequestHandler) -> None:
        send_mjpeg(request, iter(range(30)))
        frozen.set()
        time.sleep(5)

    source = NetworkSource(serve(freeze))
    reader = threading.Thread(target=lambda: [None for _ in source])
    reader.start()
    assert frozen.wait(10)
    source.close()
    reader.join(5)
    assert not reader.is_alive()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("rtsp://user:secret@127.0.0.1:1/live", r"nobody answers \(connection refused\): is the camera on"),
        ("http://user:secret@127.0.0.1:1/live", r"nobody answers \(connection refused\)"),
        ("rtsp://user:secret@camera.invalid/live", r"nobody answers \(the host's name is unknown\)"),
    ],
)
def test_nobody_there_is_said_in_one_line_without_the_password(url: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        NetworkSource(url)
    assert "secret" not in str(caught.value)
    assert "***@" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, r"asks for a user and password: give http://USER:PASSWORD@127\.0\.0\.1"), (404, "404 not found")],
)
def test_what_the_server_says_is_passed_on(serve: Callable[[Answer], str], status: int, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        NetworkSource(serve(lambda request: request.send_error(status)))


def test_a_silent_server_is_given_up_soon(serve: Callable[[Answer], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "OPEN_SECONDS", 0.3)
    with pytest.raises(SourceError, match=r"nobody answers \(no answer\)"):
        NetworkSource(serve(lambda request: time.sleep(5)))


@pytest.mark.parametrize("url", ["rtsp://", "rtsp://:554/live", "rtsp://camera:99999/live", "http:///a.mp4"])
def test_an_address_without_a_host_is_malformed(url: str) -> None:
    with pytest.raises(UsageError):
        NetworkSource(url)


@given(st.sampled_from(["rtsp", "http", "https"]), word, word)
def test_user_and_password_are_never_shown(scheme: str, user: str, password: str) -> None:
    address = f"{scheme}://{user}:{password}@host:554/live?channel=1"
    assert without_credentials(address) == f"{scheme}://***@host:554/live?channel=1"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://host:554/live@1", "rtsp://host:554/live@1"),
        ("rtsp://user:with/slash@host/live", "rtsp://***@host/live"),
        ("rtsp://user:with@at@host/live", "rtsp://***@host/live"),
        ("rtsp://user@host/live", "rtsp://***@host/live"),
        ("http://host/video?user=me&password=secret&channel=2", "http://host/video?user=***&password=***&channel=2"),
        ("fault://?seed=1&inner=rtsp://user:secret@host/live", "fault://?seed=1&inner=rtsp://***@host/live"),
    ],
)
def test_what_of_an_address_may_be_shown(address: str, shown: str) -> None:
    assert without_credentials(address) == shown
