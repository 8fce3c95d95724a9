"""Recording and stills on demand: what is said to be kept is there, and trouble with it never ends the run."""

from __future__ import annotations

import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edgeseg.core.errors import SinkError
from edgeseg.runtime.segmenter import load
from edgeseg.runtime.switching import SwitchableSegmenter
from edgeseg.streaming.sinks.mp4 import Mp4Sink
from edgeseg.streaming.sinks.picture import Painter
from edgeseg.streaming.sinks.still import StillSink
from edgeseg.streaming.web import keeper as keeping
from edgeseg.streaming.web.keeper import Keeper
from edgeseg.streaming.web.run_controls import RunControls


@pytest.fixture
def keeper(tmp_path: Path, painter: Painter) -> Keeper:
    return Keeper(tmp_path, lambda path: Mp4Sink(path, painter, fps=25), lambda path: StillSink(path, painter))


def test_a_clip_holds_what_came_between_start_and_stop(keeper: Keeper, make_result, tmp_path: Path) -> None:
    keeper.write(make_result(0))
    assert list(tmp_path.iterdir()) == []
    assert "recording to" in keeper.record(True) and keeper.recording
    for index in range(1, 6):
        keeper.write(make_result(index))
    said = keeper.record(False)
    keeper.write(make_result(6))
    (clip,) = tmp_path.iterdir()
    assert said == f"recorded {clip}" and not keeper.recording
    with av.open(str(clip)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5
    assert keeper.close() == str(clip)


def test_a_clip_that_still_runs_at_the_end_is_finished(keeper: Keeper, make_result) -> None:
    keeper.record(True)
    keeper.write(make_result(0))
    assert Path(keeper.close()).is_file()


def test_a_snapshot_is_the_next_result_and_two_are_two_files(keeper: Keeper, make_result, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        index = 0
        while not stop.wait(0.005):
            keeper.write(make_result(index))
            index += 1

    writer = threading.Thread(target=write)
    writer.start()
    places = [keeper.snapshot().removeprefix("saved ") for _ in range(2)]
    stop.set()
    writer.join()
    assert len(set(places)) == 2
    for place in places:
        picture = cv2.imread(place)
        assert picture is not None and picture.shape == (120, 160, 3)


def test_a_snapshot_of_a_silent_camera_is_an_error_soon(keeper: Keeper, monkeypatch) -> None:
    monkeypatch.setattr(keeping, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(SinkError, match="no picture comes"):
        keeper.snapshot()


def test_a_disk_that_fills_ends_the_recording_says_so_and_the_run_goes_on(
    keeper: Keeper, make_result, full_disk, monkeypatch
) -> None:
    noise = np.random.default_rng(1)
    monkeypatch.setattr(Painter, "paint", lambda *_: noise.integers(0, 255, (240, 320, 3), dtype=np.uint8))
    keeper.record(True)
    with full_disk(100_000):
        for index in range(120):
            keeper.write(make_result(index))
            if not keeper.recording:
                break
    assert not keeper.recording
    assert "disk" in keeper.trouble
    keeper.write(make_result(200))
    assert keeper.close() == ""


def test_the_controls_switch_the_running_model(bundle_folder: Path, keeper: Keeper, bars: np.ndarray) -> None:
    segmenter = SwitchableSegmenter(load(bundle_folder, engine="openvino", precision="fp32", threads=1))
    controls = RunControls(segmenter, keeper, threads=1)
    assert [model.name for model in controls.models] == ["nearest-colour"]
    before = segmenter(bars)
    assert controls.switch("nearest-colour", "fp32") == "now nearest-colour in fp32 on onnxruntime"
    np.testing.assert_array_equal(segmenter(bars).labels, before.labels)  # type: ignore[union-attr]
    assert segmenter.engine.name == "onnxruntime"
    assert controls.trouble == "" and not controls.recording
    segmenter.close()
