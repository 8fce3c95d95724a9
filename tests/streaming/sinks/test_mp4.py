"""A recording plays: every picture, at its size, at its time; and a clip is there whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from edgeseg.core.errors import EdgesegError, SinkError, UsageError
from edgeseg.streaming.sinks.mp4 import Mp4Sink
from edgeseg.streaming.sinks.picture import Painter


def read(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """Pictures, BGR, and the second each is shown at."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [frame.to_ndarray(format="bgr24") for frame in frames], [float(frame.time or 0) for frame in frames]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_every_picture_comes_back_at_its_size_and_nearly_in_its_colours(
    make_result, painter: Painter, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"clip.{ending}"
    sink = Mp4Sink(path, painter, fps=25)
    painted = []
    for index in range(30):
        result = make_result(index)
        sink.write(result)
        painted.append(painter.paint(result).copy())
    assert not path.exists(), "the clip appears when it is finished"
    assert sink.close() == str(path)
    pictures, times = read(path)
    assert [picture.shape for picture in pictures] == [(120, 160, 3)] * 30
    np.testing.assert_allclose(times, np.arange(30) / 25, atol=1e-3)
    difference = np.abs(np.array(pictures, dtype=int) - np.array(painted, dtype=int))
    assert difference.mean() < 4
    assert np.median(difference[:, 2:20, 2:20].reshape(-1, 3), axis=0).max() <= 6, "flat areas keep their colour"
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_matrix_of_its_colours_is_written_into_the_clip(make_result, painter: Painter, tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "clip.mp4", painter, fps=25)
    sink.write(make_result())
    with av.open(sink.close()) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.color_range) == ("h264", "yuv420p", 1)
        assert context.colorspace in {5, 6}  # both are BT.601's matrix


def test_a_live_recording_plays_at_its_true_speed_drops_and_all(make_result, painter: Painter, tmp_path: Path) -> None:
    captured_ms = [1000, 1033, 1067, 2500, 2400, 2533]  # frames were dropped; then a clock stepped back
    sink = Mp4Sink(tmp_path / "clip.mp4", painter, fps=None)
    for index, milliseconds in enumerate(captured_ms):
        sink.write(make_result(index, captured_ns=milliseconds * 1_000_000))
    _, times = read(Path(sink.close()))
    assert (np.diff(times) > 0).all()
    np.testing.assert_allclose(np.array(times)[[0, 1, 2, 3, 5]], [0, 0.033, 0.067, 1.5, 1.533], atol=2e-3)


def test_a_rate_that_is_no_whole_number_does_not_drift(make_result, painter: Painter, tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "clip.mp4", painter, fps=30000 / 1001)
    for index in range(90):
        sink.write(make_result(index, width=32, height=32))
    _, times = read(Path(sink.close()))
    assert times[-1] == pytest.approx(float(89 * Fraction(1001, 30000)), abs=1e-3)


def test_the_index_stands_before_the_pictures(make_result, painter: Painter, tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "clip.mp4", painter, fps=25)
    sink.write(make_result())
    written = Path(sink.close()).read_bytes()
    assert written.index(b"moov") < written.index(b"mdat")


@pytest.mark.parametrize(("width", "height"), [(161, 121), (33, 24), (2, 2), (1, 1), (1, 50)])
def test_odd_and_tiny_sizes_become_even(make_result, painter: Painter, tmp_path: Path, width: int, height: int) -> None:
    sink = Mp4Sink(tmp_path / "clip.mp4", painter, fps=25)
    for index in range(3):
        sink.write(make_result(index, width, height))
    pictures, _ = read(Path(sink.close()))
    assert [p.shape for p in pictures] == [(max(2, height // 2 * 2), max(2, width // 2 * 2), 3)] * 3


def test_another_size_is_fitted_into_the_first_with_bars(make_result, painter: Painter, tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "clip.mp4", painter, fps=25)
    sink.write(make_result(0, 160, 120))
    sink.write(make_result(1, 400, 100))
    sink.write(make_result(2, 60, 100))
    pictures, _ = read(Path(sink.close()))
    assert len(pictures) == 3
    wide, tall = pictures[1], pictures[2]
    assert wide[:30].max() < 40
    assert wide[-30:].max() < 40
    assert wide[50:70].mean() > 60
    assert tall[:, :34].max() < 40
    assert tall[:, 60:100].mean() > 60


def test_without_a_picture_nothing_is_left(painter: Painter, tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "clip.mp4", painter, fps=25)
    assert list(tmp_path.iterdir()) == []
    assert sink.close() == ""
    assert sink.close() == ""
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_is_harmless_and_an_older_clip_is_replaced(make_result, painter: Painter, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_text("older")
    sink = Mp4Sink(path, painter, fps=25)
    sink.write(make_result())
    assert path.read_text() == "older"
    assert sink.close() == sink.close() == str(path)
    assert len(read(path)[0]) == 1


def test_a_full_disk_is_one_line_and_leaves_nothing(make_result, painter: Painter, tmp_path: Path, full_disk) -> None:
    path = tmp_path / "clip.mp4"
    sink = Mp4Sink(path, painter, fps=25)

    def record() -> None:
        for index in range(20):
            sink.write(make_result(index, 320, 240))
        sink.close()

    with full_disk(2000):
        with pytest.raises(SinkError, match="is the disk full") as raised:
            record()
        with suppress(SinkError):
            sink.close()
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("clip.avi", UsageError, "ends in .mp4 or .mov or .mkv"),
        ("clip", UsageError, "ends in .mp4"),
        ("folder.mp4", UsageError, "is a folder"),
        ("missing/clip.mp4", SinkError, "No such file or directory"),
        ("file/clip.mp4", SinkError, "Not a directory"),
        ("x" * 300 + ".mp4", SinkError, "too long"),
    ],
)
def test_a_place_that_can_not_take_it_is_said_before_any_picture(
    painter: Painter, tmp_path: Path, name: str, kind: type[EdgesegError], said: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(kind, match=said) as raised:
        Mp4Sink(tmp_path / name, painter, fps=25)
    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.iterdir()) == before
