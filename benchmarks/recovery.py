"""How soon masks flow again after an RTSP server was killed, frozen or restarted, and how old the oldest of them was.

    python benchmarks/recovery.py

Runs the tests' server (Debian's GStreamer) on the loopback and the whole loop on it. The server draws the time into each
picture, so that age is judged on pixels, not on what the stream claims.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import edgeseg

SERVER = Path(__file__).parents[1] / "tests/streaming/sources/rtsp_server.py"
BITS = 40


def start(port: int) -> subprocess.Popen[bytes]:
    """Starts the server and returns once it listens."""
    command = ["/usr/bin/python3", str(SERVER), str(port), "640", "360"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert server.stdout is not None
    server.stdout.readline()
    return server


def drawn_ms(image: NDArray[np.uint8]) -> int:
    """Returns the time that the picture was made at, ms of the monotonic clock: forty upright bars, the highest bit left."""
    height, width = image.shape[:2]
    columns = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    bits = image[height // 2, columns].mean(axis=1) > 127
    return int("".join("1" if bit else "0" for bit in bits), 2)


def main() -> None:
    """Prints a row an event."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = start(port)
    delivered: list[tuple[float, float]] = []

    def look(results: edgeseg.Stream) -> None:
        for result in results:
            now = time.monotonic()
            delivered.append((now, now * 1000 - drawn_ms(result.frame.image)))

    results = edgeseg.stream(f"rtsp://127.0.0.1:{port}/live")
    viewer = threading.Thread(target=look, args=(results,))
    viewer.start()
    time.sleep(3)
    print("| event | s from the server's return to the next mask |\n|---|---|")
    for away in (2.0, 3.5, 5.0):
        server.kill()
        server.wait()
        time.sleep(away)
        server = start(port)
        report(f"killed, restarted after {away} s", delivered)
    for away in (1.0, 5.0, 10.0):
        server.send_signal(signal.SIGSTOP)
        time.sleep(away)
        server.send_signal(signal.SIGCONT)
        report(f"frozen for {away} s", delivered)
    results.close()
    viewer.join()
    server.kill()
    ages = [age for _, age in delivered]
    print(
        f"\n{len(ages)} masks: true age p50 {np.median(ages):.0f} ms, highest {max(ages):.0f} ms; {results.ledger.counts()}"
    )


def report(event: str, delivered: list[tuple[float, float]]) -> None:
    """Prints how long after now the next mask came, and lets the stream run on for three seconds."""
    back = time.monotonic()
    time.sleep(3)
    after = [moment - back for moment, _ in list(delivered) if moment > back]
    print(f"| {event} | {after[0]:.2f} |" if after else f"| {event} | more than 3 |")


if __name__ == "__main__":
    main()
