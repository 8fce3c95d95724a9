"""What is measured of a row, on a tiny clip and the real loop: parts that add up, and a planted sleep found where it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest

from edgeseg.core.result import Frame
from edgeseg.profile.assembly import summarize_loop, summarize_serial
from edgeseg.profile.clip import ClipSource, write_street
from edgeseg.profile.compare import compare
from edgeseg.profile.timing import Reader, time_engine, time_loop, time_serial
from edgeseg.runtime.segmenter import Segmenter, load
from edgeseg.runtime.stage import Stage
from tests.profile.profile_rows import drawn_row

SLEEP_MS = 30.0
"""Planted in a tail of less than one: 5 ms would do on an idle machine, and be lost on one that tests in parallel."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "street.mp4"
    assert write_street(path, 6, (320, 180)) == "street, 6 frames of 320x180, H.264"
    return path


@pytest.fixture(scope="module")
def segmenter() -> Iterator[Segmenter]:
    with load("fast-scnn-street", engine="onnxruntime", precision="fp32", threads=1) as opened:
        yield opened


class Altered:
    """A segmenter with other stages."""

    def __init__(self, inner: Segmenter, stages: tuple[Stage, ...]) -> None:
        self.bundle, self.engine, self.stages = inner.bundle, inner.engine, stages

    def __call__(self, image: np.ndarray) -> Any:
        value: Any = image
        for stage in self.stages:
            value = stage.run(value)
        return value

    def close(self) -> None: ...

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def drowsy(inner: Segmenter) -> Segmenter:
    fit, engine, tail = inner.stages

    def slow_tail(value: Any) -> Any:
        time.sleep(SLEEP_MS / 1000)
        return tail.run(value)

    return Altered(inner, (fit, engine, Stage("tail", slow_tail)))


def test_the_stages_of_a_frame_and_the_remainder_are_its_wall_clock(clip: Path, segmenter: Segmenter) -> None:
    with ClipSource(clip, 0.5) as source:
        turn = time_serial(segmenter, source, Reader(segmenter))
    assert list(turn["stage_ms"]) == ["decode", "fit", "engine", "tail", "draw", "deliver"]
    stages = np.sum([turn["stage_ms"][name] for name in turn["stage_ms"]], axis=0)
    assert (stages <= turn["frame_ms"]).all()
    serial = summarize_serial([turn])
    assert serial["frames"] == len(turn["frame_ms"]) > 0
    assert 0 <= serial["remainder_share"] < 0.05
    assert sum(serial["mean_ms"].values()) == pytest.approx(serial["frame_mean_ms"])


def test_a_sleep_in_the_tail_is_found_in_the_tail(clip: Path, segmenter: Segmenter) -> None:
    usual, planted = [], []
    for _ in range(2):
        for turns, opened in ((usual, segmenter), (planted, drowsy(segmenter))):
            with ClipSource(clip, 0.3) as source:
                turns.append(time_serial(opened, source, Reader(opened)))
    before, after = drawn_row(1), drawn_row(1)
    before["serial"], after["serial"] = summarize_serial(usual), summarize_serial(planted)
    changes = {change.before.name: change for change in compare([before], [after]).changes}
    assert changes["stage tail"].beyond_noise
    # The quickest frames tell the stages apart also where other programs hold up the rest.
    quickest = [
        {name: min(min(turn["stage_ms"][name]) for turn in turns) for name in usual[0]["stage_ms"]}
        for turns in (usual, planted)
    ]
    longer = {name: quickest[1][name] - quickest[0][name] for name in quickest[0]}
    assert max(longer, key=lambda name: longer[name]) == "tail"
    assert longer["tail"] > 0.8 * SLEEP_MS


def test_a_file_loses_no_frame_and_waiting_is_what_stages_do_not_account_for(clip: Path, segmenter: Segmenter) -> None:
    turn = time_loop(segmenter, ClipSource(clip, 0.3), Reader(segmenter))
    run = summarize_loop([turn], "a clip", live=False)
    assert run["captured"] == run["delivered"] > 0
    assert run["dropped"] == {} and run["failed"] == run["in_flight"] == 0
    assert min(turn["waiting_ms"]) >= 0
    inner = [turn["stage_ms"][name] for name in ("decode", "fit", "engine", "tail")]
    assert np.allclose(np.sum(inner, axis=0) + turn["waiting_ms"], turn["latency_ms"])
    assert set(run["stage_ms"]) == {"decode", "fit", "engine", "tail", "draw", "deliver"}


def test_a_paced_source_counts_every_frame_and_ages_begin_when_it_was_due(clip: Path, segmenter: Segmenter) -> None:
    turn = time_loop(drowsy(segmenter), ClipSource(clip, 0.4, fps=60), Reader(segmenter))
    assert turn["captured"] == turn["delivered"] + sum(turn["dropped"].values())
    # 30 ms of sleep and 60 FPS: some frames are overtaken, and none is younger than the sleep.
    assert turn["captured"] > turn["delivered"]
    assert min(turn["latency_ms"]) > SLEEP_MS
    # A camera's frames are whole periods apart, however late the first of them was ready.
    periods = np.array(turn["interval_ms"]) * 60 / 1000
    np.testing.assert_allclose(periods, np.rint(periods), atol=1e-4)
    assert (summarize_loop([turn], "a clip", live=True)["fps"] or 0) < 60


def test_a_paced_source_is_due_by_the_clock(clip: Path) -> None:
    with ClipSource(clip, 0.25, fps=40) as source:
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(10))
    assert np.allclose(np.diff([frame.captured_ns for frame in frames]), 25e6)
    assert all(frame.decode_ns > 0 for frame in frames)


def test_the_engine_is_timed_where_a_gpu_takes_one_frame_at_a_time(segmenter: Segmenter) -> None:
    on_its_way: list[Any] = []

    def launch(image: Any) -> Any:
        assert not on_its_way
        on_its_way.append(image)
        return image

    def wait(image: Any) -> Any:
        on_its_way.clear()
        return image

    one_at_a_time = Altered(segmenter, (Stage("launch", launch), Stage("engine", wait)))
    frames = [Frame(np.zeros((2, 2, 3), np.uint8), index, 0, "") for index in range(9)]
    assert len(time_engine(one_at_a_time, frames, 0.05)) > 8
