"""One picture a frame, however many look at it; a still of it; a window with it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.core.errors import SinkError, UsageError
from edgeseg.streaming.sinks import window
from edgeseg.streaming.sinks.picture import Painter
from edgeseg.streaming.sinks.still import StillSink
from edgeseg.streaming.sinks.window import WindowSink, window_reason
from edgeseg.vision.background import Background
from edgeseg.vision.overlay import paint


def test_a_result_is_painted_once_for_all_who_look_and_its_frame_stays_as_it_was(make_result) -> None:
    asked = []
    painter = Painter(("ground", "disc"), ((250, 224, 60), (232, 36, 66)), lambda r: asked.append(r) or "a · b")
    first, second = make_result(0), make_result(1)
    before = first.frame.image.copy()
    assert painter.paint(first) is painter.paint(first)
    painter.paint(second)
    assert asked == [first, second]
    np.testing.assert_array_equal(first.frame.image, before)


def test_the_picture_shows_mask_line_and_legend(make_result, painter: Painter) -> None:
    result = make_result(0, 640, 480)
    picture = painter.paint(result)
    assert picture.shape == (480, 640, 3)
    assert (picture[:60] > 240).all(axis=2).any(), "the line"
    assert (picture[400:] == np.array([66, 36, 232])).all(axis=2).any(), "the legend's chip"
    assert (picture[200:280] != result.frame.image[200:280]).any(axis=2).all()


def test_of_things_the_picture_shows_each_with_its_tag_and_nothing_else_but_the_line(
    make_result, painter: Painter
) -> None:
    result = make_result(0, 640, 480, instances=True)
    picture = painter.paint(result)
    changed = (picture != result.frame.image).any(axis=2)
    x0, y0, x1, _ = result.masks.boxes[0].astype(int)
    assert changed[result.masks.masks[0]].all()
    assert (picture[:60] > 240).all(axis=2).any(), "the line"
    assert changed[y0 - 12, x0 + 5 : x0 + 40].all(), "the tag, above the box"
    changed[result.masks.masks[0]] = changed[:60] = changed[y0 - 30 : y0, x0:x1] = False
    assert not changed.any()


def test_before_a_background_things_have_no_tags(make_result) -> None:
    painter = Painter(
        ("ground", "disc"), ((1, 2, 3), (232, 36, 66)), lambda r: "", Background("#ffffff", keep=("disc",))
    )
    result = make_result(0, 640, 480, instances=True)
    away = ~result.masks.masks[0]
    away &= cv2.erode(away.astype(np.uint8), np.ones((41, 41), np.uint8)).astype(bool)
    assert (painter.paint(result)[away] == 255).all()


def test_another_size_gets_words_of_its_own(make_result, painter: Painter) -> None:
    for width, height in ((320, 240), (1280, 720), (32, 24), (320, 240)):
        result = make_result(0, width, height)
        assert painter.paint(result).shape == (height, width, 3)
    tiny = make_result(0, 32, 24)
    expected = paint(tiny.frame.image, tiny.masks.labels, ((250, 224, 60), (232, 36, 66)))
    np.testing.assert_array_equal(painter.paint(tiny), expected)


@pytest.mark.parametrize("name", ["still.png", "still.PNG", "still.jpg"])
def test_a_still_is_the_newest_picture(make_result, painter: Painter, tmp_path: Path, name: str) -> None:
    sink = StillSink(tmp_path / name, painter)
    for index in range(3):
        sink.write(make_result(index))
    expected = painter.paint(make_result(2)).copy()
    assert list(tmp_path.iterdir()) == []
    assert sink.close() == sink.close() == str(tmp_path / name)
    written = cv2.imread(str(tmp_path / name))
    assert written is not None
    assert np.abs(written.astype(int) - expected).mean() < (0.01 if name.lower().endswith("png") else 6)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_still_is_there_whole_or_not_at_all(make_result, painter: Painter, tmp_path: Path, full_disk) -> None:
    assert StillSink(tmp_path / "none.png", painter).close() == ""
    sink = StillSink(tmp_path / "still.png", painter)
    sink.write(make_result(0, 640, 480))
    with full_disk(1000), pytest.raises(SinkError, match=r"still.png can't be written \(File too large\)"):
        sink.close()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match=r"ends in .png or .jpg or .jpeg"):
        StillSink(tmp_path / "still.gif", painter)


class Screen:
    """Stands in for a display: what cv2 would show, and the keys that a user would press."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: list[int], shut_after: int = 99) -> None:
        self.shown: list[np.ndarray] = []
        monkeypatch.setattr(window.cv2, "namedWindow", lambda *_: None)
        monkeypatch.setattr(window.cv2, "imshow", lambda _, picture: self.shown.append(picture.copy()))
        monkeypatch.setattr(window.cv2, "waitKey", lambda _: keys.pop(0) if keys else -1)
        monkeypatch.setattr(window.cv2, "getWindowProperty", lambda *_: float(len(self.shown) < shut_after))
        monkeypatch.setattr(window.cv2, "destroyAllWindows", lambda: None)


@pytest.mark.parametrize("key", [ord("q"), 27, 0x100000 + ord("q")])
def test_q_and_escape_close_the_window(
    make_result, painter: Painter, monkeypatch: pytest.MonkeyPatch, key: int
) -> None:
    screen = Screen(monkeypatch, keys=[-1, ord("x"), key])
    sink = WindowSink("edgeseg", painter)
    for index, closed in enumerate([False, False, True]):
        sink.write(make_result(index))
        assert sink.closed is closed
        np.testing.assert_array_equal(screen.shown[-1], painter.paint(make_result(index)))
    assert sink.close() == ""


def test_the_windows_own_cross_closes_it(make_result, painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    Screen(monkeypatch, keys=[], shut_after=2)
    sink = WindowSink("edgeseg", painter)
    sink.write(make_result(0))
    assert not sink.closed
    sink.write(make_result(1))
    assert sink.closed


def test_why_there_is_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "no display" in window_reason()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(window.cv2, "getBuildInformation", lambda: "  GUI:   NONE\n")
    assert "pip install opencv-python" in window_reason()
    monkeypatch.setattr(window.cv2, "getBuildInformation", lambda: "  GUI:   QT5\n")
    assert window_reason() == ""


def test_a_display_that_does_not_answer_is_one_line(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise cv2.error("Can't initialize GTK backend")

    monkeypatch.setattr(window.cv2, "namedWindow", fail)
    with pytest.raises(SinkError, match="--no-view"):
        WindowSink("edgeseg", painter)
