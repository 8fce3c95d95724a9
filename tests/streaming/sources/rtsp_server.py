"""An RTSP camera for tests: python3 rtsp_server.py PORT WIDTH HEIGHT, by the system's python3, which has GStreamer.

Each picture of rtsp://127.0.0.1:PORT/live holds the moment when it was made, in ms of CLOCK_MONOTONIC, as 40 upright
bars: black for 0, white for 1, the highest bit left.
"""

from __future__ import annotations

import sys
import time

import gi  # pyright: ignore[reportMissingImports]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # pyright: ignore[reportMissingImports]

BITS = 40
FPS = 30


def serve(port: int, width: int, height: int) -> None:
    """Serves until it is killed; says "ready" on stdout once it listens."""
    Gst.init(None)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( appsrc name=pictures is-live=true do-timestamp=true format=time "
        f"caps=video/x-raw,format=GRAY8,width={width},height={height},framerate={FPS}/1 "
        f"! videoconvert ! video/x-raw,format=I420 "
        f"! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={2 * FPS} ! rtph264pay name=pay0 pt=96 )"
    )
    factory.set_shared(True)
    factory.connect("media-configure", lambda _, media: feed(media, width, height))
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def feed(media: GstRtspServer.RTSPMedia, width: int, height: int) -> None:
    """Pushes a picture of the present moment at every thirtieth of a second."""
    pictures = media.get_element().get_by_name("pictures")

    def push() -> bool:
        now = time.monotonic_ns() // 1_000_000
        row = b"".join((b"\xeb" if now >> bit & 1 else b"\x10") * (width // BITS) for bit in reversed(range(BITS)))
        return pictures.emit("push-buffer", Gst.Buffer.new_wrapped(row * height)) == Gst.FlowReturn.OK

    GLib.timeout_add(1000 // FPS, push)


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
