"""GStreamer's pipelines, where OpenCV has it, and what is said where it does not."""

from __future__ import annotations

import pytest

from edgeseg.core.errors import SourceError, UsageError
from edgeseg.streaming.sources import gstreamer
from edgeseg.streaming.sources.gstreamer import GStreamerSource, has_gstreamer

needs_gstreamer = pytest.mark.skipif(not has_gstreamer(), reason="this OpenCV has no GStreamer")


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


@needs_gstreamer
def test_a_pipeline_that_counts_its_buffers_gives_each_and_ends() -> None:
    pipeline = "gst:videotestsrc num-buffers=20 pattern=blue ! video/x-raw,width=64,height=48"
    with GStreamerSource(pipeline) as source:
        frames = list(source)
        assert not source.live
    assert len(frames) == 20
    assert frames[0].image.shape == (48, 64, 3)
    assert (frames[0].image[0, 0] == (255, 0, 0)).all()


@needs_gstreamer
def test_a_pipeline_that_does_not_start() -> None:
    with pytest.raises(SourceError, match="does not start"):
        GStreamerSource("gst:filesrc location=/nosuch ! decodebin")
