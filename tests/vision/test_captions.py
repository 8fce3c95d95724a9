"""The words on the picture can be read, stand where they should, and never break a small picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeseg.core.classes import STREET_CLASSES, STREET_PALETTE
from edgeseg.core.masks import InstanceMasks
from edgeseg.vision.captions import Captions, Tag, hud, tags_of
from edgeseg.vision.overlay import colour_of_id

LINE = hud("fast-scnn-street", "openvino", "bf16", 29.94, 14.2, 0)


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, dtype=np.uint8)


def drawn(height: int, width: int, line: str = LINE) -> np.ndarray:
    picture = grey(height, width)
    Captions(STREET_CLASSES, STREET_PALETTE, height, width).draw(picture, line)
    return picture


def changed_rows(picture: np.ndarray) -> np.ndarray:
    return np.flatnonzero((picture != 128).any(axis=(1, 2)))


def test_the_layout_of_the_line() -> None:
    assert LINE == "fast-scnn-street · openvino bf16 · 29.9 FPS · age 14 ms · 0 dropped"


def colours_in(picture: np.ndarray) -> set[tuple[int, int, int]]:
    """RGB colours of a BGR picture."""
    words = np.unique(picture.astype(np.uint32) @ np.array([1, 256, 65536], dtype=np.uint32))
    return {(int(word) >> 16, int(word) >> 8 & 255, int(word) & 255) for word in words}


SIZES = [(320, 240), (480, 360), (768, 576), (1280, 720), (720, 1280), (3840, 2160)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_class_shows_its_colour_and_the_line_its_letters(width: int, height: int) -> None:
    picture = drawn(height, width)
    assert set(STREET_PALETTE) <= colours_in(picture[height // 2 :])
    assert (picture[: height // 4] > 200).all(axis=2).sum() >= 60, "no letters"
    assert not (picture[height * 3 // 10 : height * 7 // 10] != 128).any(), "the middle of the picture stays free"


def test_text_grows_with_the_picture() -> None:
    small, large = (len(changed_rows(drawn(height, height * 16 // 9)[: height // 2])) for height in (720, 1440))
    assert 1.8 < large / small < 2.2


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 300))
def test_any_size_can_be_drawn_on(width: int, height: int) -> None:
    assert drawn(height, width).shape == (height, width, 3)


def test_a_tiny_picture_is_left_alone() -> None:
    np.testing.assert_array_equal(drawn(24, 32), grey(24, 32))


def test_other_words_leave_no_trace_of_the_words_before() -> None:
    captions = Captions(STREET_CLASSES, STREET_PALETTE, 720, 1280)
    captions.draw(grey(720, 1280), LINE)
    again, other = grey(720, 1280), grey(720, 1280)
    captions.draw(other, LINE.replace("29.9", "11.1"))
    captions.draw(again, LINE)
    np.testing.assert_array_equal(again, drawn(720, 1280))
    assert (again != other).any()


def test_the_panel_keeps_its_width_when_a_figure_gets_shorter() -> None:
    captions = Captions(STREET_CLASSES, STREET_PALETTE, 720, 1280)
    long, short = grey(720, 1280), grey(720, 1280)
    captions.draw(long, hud("m", "openvino", "bf16", 129.9, 1414, 1000))
    captions.draw(short, hud("m", "openvino", "bf16", 9.9, 4, 0))
    for picture in (long, short):
        picture[360:] = 128
    assert (long != 128).any(axis=(0, 2)).sum() == (short != 128).any(axis=(0, 2)).sum()


def test_more_classes_than_fit_are_counted() -> None:
    names = tuple(f"class number {k}" for k in range(150))
    palette = [(k, 255 - k, 200) for k in range(150)]
    picture = grey(360, 480)
    Captions(names, palette, 360, 480).draw(picture, LINE)
    present = colours_in(picture[180:])
    shown = [colour in present for colour in palette]
    count = sum(shown)
    assert 3 < count < 50
    assert all(shown[:count]), "the first classes are named, the rest counted"


def test_a_word_too_wide_is_left_out_and_the_others_stay() -> None:
    picture = drawn(240, 320, "x" * 200 + " · 29.9 FPS")
    assert 0 < len(changed_rows(picture[:120])) < 40


def tagged(height: int, width: int, *tags: Tag, line: str = "") -> np.ndarray:
    picture = grey(height, width)
    Captions((), np.zeros((0, 3)), height, width).draw(picture, line, tags)
    return picture


def extent(picture: np.ndarray) -> tuple[int, int, int, int]:
    """x0 y0 x1 y1 of what is not grey any more."""
    changed = (picture != 128).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize("colour", [(250, 230, 90), (60, 20, 120)])
def test_a_tag_stands_above_its_box_and_its_words_stand_out(colour: tuple[int, int, int]) -> None:
    picture = tagged(720, 1280, Tag("person 7 · 92 %", (300, 200, 400, 500), colour))
    x0, y0, x1, y1 = extent(picture)
    assert abs(x0 - 300) <= 1
    assert 198 <= y1 <= 200
    assert 15 < y1 - y0 < 35
    assert 80 < x1 - x0 < 200
    luma = picture[y0:y1, x0:x1] @ np.array([0.114, 0.587, 0.299])
    assert np.ptp(luma) > 120, "ink against its ground"


def test_a_tag_stays_inside_the_picture_wherever_its_thing_is() -> None:
    tag = Tag("person 92 %", (0, 0, 0, 0), (250, 230, 90))
    for box in ((-50.0, -40.0, 30.0, 20.0), (1270.0, 300.0, 1280.0, 400.0), (0.0, 0.0, 1280.0, 720.0)):
        x0, y0, x1, y1 = extent(tagged(720, 1280, tag._replace(box=box)))
        assert x1 - x0 > 60
        assert y1 - y0 > 15
    np.testing.assert_array_equal(tagged(24, 32, tag), grey(24, 32))


def test_words_never_cover_words_and_the_first_tag_has_its_place() -> None:
    first = Tag("person 92 %", (300, 200, 400, 500), (250, 230, 90))
    second = Tag("person 51 %", (310, 195, 400, 500), (90, 230, 90))
    alone, both = tagged(720, 1280, first), tagged(720, 1280, first, second)
    x0, y0, x1, y1 = extent(alone)
    np.testing.assert_array_equal(both[y0:y1, x0:x1], alone[y0:y1, x0:x1])
    assert (both != alone).any(), "the second finds another place"
    crowd = tagged(720, 1280, first, *[second] * 199)
    assert extent(crowd)[3] < 560, "what finds none is left out"
    under_the_line = first._replace(box=(20, 30, 90, 35))
    line_alone = tagged(720, 1280, line=LINE)
    with_tag = tagged(720, 1280, under_the_line, line=LINE)
    height = extent(line_alone)[3]
    np.testing.assert_array_equal(with_tag[:height], line_alone[:height])


def test_tags_name_class_score_and_identity_the_surest_first() -> None:
    boxes = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype=np.float32)
    scores = np.array([0.4, 0.916], dtype=np.float32)
    labels = np.array([1, 0], dtype=np.uint8)
    seen = InstanceMasks(np.ones((2, 9, 9), bool), boxes, scores, labels, ("person", "car"))
    palette = ((10, 20, 30), (40, 50, 60))
    assert tags_of(seen, palette) == [
        Tag("person 92 %", (5, 6, 7, 8), (10, 20, 30)),
        Tag("car 40 %", (1, 2, 3, 4), (40, 50, 60)),
    ]
    tracked = InstanceMasks(seen.masks, boxes, scores, labels, seen.classes, np.array([12, 3]))
    assert [(tag.text, tag.colour) for tag in tags_of(tracked, palette)] == [
        ("person 3 · 92 %", colour_of_id(3)),
        ("car 12 · 40 %", colour_of_id(12)),
    ]


def test_a_black_class_is_not_in_the_legend() -> None:
    person, both = grey(360, 480), grey(360, 480)
    Captions(("person",), [(255, 0, 0)], 360, 480).draw(person, LINE)
    Captions(("background", "person"), [(0, 0, 0), (255, 0, 0)], 360, 480).draw(both, LINE)
    np.testing.assert_array_equal(both, person)
