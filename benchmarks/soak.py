"""Whether everything at once stays flat and loses no frame: the page, a recording and four publishers, all with receivers.

    python benchmarks/soak.py [--frames 10000] [--ways shm,zenoh,ros2,foxglove] [--source URI] [--model NAME]

Runs `edgeseg run` on the rendered street, live, until it has delivered so many frames, and looks on as a viewer of its page,
which says twice a second how many that are. Every publisher has a receiver in a process of its own (those of publishing.py).
Prints the ledger, what became of each way's results, and the resident set size of `edgeseg run` alone. Exit status 1 where the
ledger does not close (captured = delivered + dropped + failed, each way's results = delivered, none in flight), or where memory
grew by more than 20 MB between frame 1,000 and the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from publishing import NAME, ROOT, TOPIC, receiver

SETTLED, ALLOWED_MB = 1000, 20
FOREVER = 86400
URIS = {"shm": f"shm://{NAME}", "zenoh": f"zenoh://{NAME}", "ros2": f"ros2://{TOPIC}", "foxglove": "foxglove://:0"}
TOLD = {"shm": [NAME], "zenoh": [NAME], "ros2": [TOPIC]}


def main() -> int:
    """Prints the figures and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--ways", default="shm,zenoh,ros2,foxglove")
    parser.add_argument("--source", default="street://?size=320x192&fps=60")
    parser.add_argument("--model", default="fast-scnn-street")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        readings, figures = soak(Path(folder), options.frames, options.ways.split(","), options.source, options.model)
    return int(not ledger_closes(figures)) | int(not memory_is_flat(readings))


def soak(
    folder: Path, frames: int, ways: list[str], source: str, model: str
) -> tuple[list[tuple[int, float]], dict[str, Any]]:
    """Plays the frames. Returns (frames delivered, MB resident) twice a second, and the JSON of `edgeseg run`."""
    command = [sys.executable, "-m", "edgeseg", "run", source, "--model", model, "--no-view", "--page", "--port", "0"]
    command += ["--record", str(folder / "soak.mcap"), "--json", str(folder / "soak.json")]
    command += ["--max-frames", str(frames), *(f"--publish={URIS[way]}" for way in ways)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "COLUMNS": "200"})
    children = [run]
    try:
        page, foxglove = addresses(run)
        children += [receiver(way, FOREVER, TOLD.get(way, [NAME, foxglove])) for way in ways]
        readings = asyncio.run(watch(page, psutil.Process(run.pid)))
        run.communicate()
    finally:
        for child in children:
            child.kill()
    return readings, json.loads((folder / "soak.json").read_text())


def addresses(run: subprocess.Popen[str]) -> tuple[str, str]:
    """Reads what `edgeseg run` says before its first frame: the address of its page, and of its Foxglove server."""
    said: dict[str, str] = {}
    assert run.stdout is not None
    for line in run.stdout:
        begin, _, address = line.strip().partition("://")
        said[begin] = address
        if begin == "page: http":
            return f"http://{address}", f"http://{said.get('publishing on foxglove', '')}"
    sys.exit(1)


async def watch(page: str, process: psutil.Process) -> list[tuple[int, float]]:
    """Looks at the page until it ends, and at the memory of the process whenever the page says how many frames there were."""
    readings: list[tuple[int, float]] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{page}live", max_msg_size=0) as socket:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                header = json.loads(message.data[4 : 4 + int.from_bytes(message.data[:4], "little")])
                await socket.send_json({"kind": "shown", "number": header["number"]})
            elif (said := message.json())["kind"] == "status":
                readings.append((said["delivered"], process.memory_info().rss / 1e6))
    return readings


def ledger_closes(figures: dict[str, Any]) -> bool:
    """Prints the ledger, and returns whether it closes."""
    dropped = ", ".join(f"{count} {reason}" for reason, count in figures["dropped"].items()) or "0"
    settled = figures["delivered"] + sum(figures["dropped"].values()) + figures["failed"]
    closes = figures["captured"] == settled and figures["in_flight"] == 0
    print(
        f"{figures['captured']} captured = {figures['delivered']} delivered + {dropped} dropped + {figures['failed']} failed "
        f"+ {figures['in_flight']} in flight: {'closes' if closes else 'DOES NOT CLOSE'}; {figures['fps']:.1f} FPS"
    )
    for way in figures["published"]:
        whole = way["published"] + way["missed"] == figures["delivered"] and not way["error"]
        print(f"{way['address']}: {way['published']} published + {way['missed']} missed{'' if whole else ': NOT ALL'}")
        closes &= whole
    return closes


def memory_is_flat(readings: list[tuple[int, float]]) -> bool:
    """Prints the memory at every thousandth frame, and returns whether it grew no more than is allowed."""
    settled = [reading for reading in readings if reading[0] >= SETTLED] or readings[-1:]
    firsts = {frames // SETTLED: megabytes for frames, megabytes in reversed(settled)}
    first, last = settled[0][1], settled[-1][1]
    print("RSS in MB from frame 1,000 on, each thousand:", *(f"{firsts[thousand]:.1f}" for thousand in sorted(firsts)))
    growth = last - first
    print(
        f"at the end {last:.1f} MB, highest {max(megabytes for _, megabytes in settled):.1f} MB: growth {growth:+.1f} MB"
    )
    return growth <= ALLOWED_MB


if __name__ == "__main__":
    sys.exit(main())
