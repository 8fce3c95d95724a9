"""GStreamer's pipelines, where OpenCV has it, and what is said where it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeseg.core.errors import SourceError, UsageError
from edgeseg.streaming.sources import gstreamer
from edgeseg.streaming.sources.gstreamer import GStreamerSource, has_gstreamer

# pip's OpenCV never has GStreamer; Debian's has, in the system's own interpreter.
SYSTEM_PYTHON = Path("/usr/bin/python3")
ROOT = Path(__file__).parents[3]


def with_gstreamer(code: str) -> subprocess.CompletedProcess[str]:
    """Runs code in an interpreter whose OpenCV has GStreamer; skips the test where there is none."""
    preamble = "import cv2, sys\nfrom edgeseg.streaming.sources.gstreamer import GStreamerSource, has_gstreamer\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    for python in (Path(sys.executable), SYSTEM_PYTHON):
        check = [str(python), "-c", f"{preamble}sys.exit(not has_gstreamer())"]
        if (
            python.is_file()
            and subprocess.run(check, env=environment, capture_output=True, check=False).returncode == 0
        ):
            command = [str(python), "-c", preamble + code]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    pytest.skip("no OpenCV with GStreamer here: apt install python3-opencv gstreamer1.0-plugins-base")


@pytest.mark.parametrize(("line", "has"), [("GStreamer:   YES (1.20.3)", True), ("GStreamer:    NO", False)])
def test_gstreamer_is_told_from_the_build(monkeypatch: pytest.MonkeyPatch, line: str, has: bool) -> None:
    monkeypatch.setattr(gstreamer.cv2, "getBuildInformation", lambda: f"  Video I/O:\n    {line}\n    v4l: YES\n")
    assert has_gstreamer() is has


def test_without_gstreamer_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gstreamer, "has_gstreamer", lambda: False)
    with pytest.raises(SourceError, match=r"no GStreamer.*Jetson.*apt install python3-opencv"):
        GStreamerSource("gst:videotestsrc")


def test_an_empty_pipeline_is_malformed() -> None:
    with pytest.raises(UsageError, match="names no pipeline"):
        GStreamerSource("gst: ")


def test_a_pipeline_that_counts_its_buffers_gives_each_and_ends() -> None:
    answer = with_gstreamer(
        "source = GStreamerSource('gst:videotestsrc num-buffers=20 pattern=blue ! video/x-raw,width=64,height=48')\n"
        "frames = list(source)\n"
        "print(source.live, len(frames), frames[0].image.shape, frames[0].image[0, 0].tolist())"
    )
    assert answer.stdout.strip() == "False 20 (48, 64, 3) [255, 0, 0]", answer.stderr


def test_a_pipeline_that_does_not_start() -> None:
    answer = with_gstreamer("GStreamerSource('gst:filesrc location=/nosuch ! decodebin')")
    assert "SourceError" in answer.stderr
    assert "does not start" in answer.stderr
