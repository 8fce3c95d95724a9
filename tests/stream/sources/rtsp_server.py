"""An RTSP camera for tests, run by the system's python3 (GStreamer's bindings live there): python3 rtsp_server.py PORT

Each picture of rtsp://127.0.0.1:PORT/live holds the moment it was made: CLOCK_MONOTONIC, in ms, as 40 bars, black for
0 and white for 1, the highest bit to the left. rtsp://.../small is the same at half the size.
"""

from __future__ import annotations

import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

BITS = 40
FPS = 30


def serve(port: int) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    for name, width, height in (("/live", 640, 360), ("/small", 320, 180)):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            f"( appsrc name=clock is-live=true do-timestamp=true format=time "
            f"caps=video/x-raw,format=GRAY8,width={width},height={height},framerate={FPS}/1 "
            f"! videoconvert ! video/x-raw,format=I420 "
            f"! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={2 * FPS} ! rtph264pay name=pay0 pt=96 )"
        )
        factory.set_shared(True)
        factory.connect("media-configure", lambda _, media, w=width, h=height: feed(media, w, h))
        server.get_mount_points().add_factory(name, factory)
    server.attach(None)
    print("ready", flush=True)
    GLib.MainLoop().run()


def feed(media: GstRtspServer.RTSPMedia, width: int, height: int) -> None:
    source = media.get_element().get_by_name("clock")

    def push() -> bool:
        now = time.monotonic_ns() // 1_000_000
        row = b"".join((b"\xeb" if now >> bit & 1 else b"\x10") * (width // BITS) for bit in reversed(range(BITS)))
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(row * height)) == Gst.FlowReturn.OK

    GLib.timeout_add(1000 // FPS, push)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
