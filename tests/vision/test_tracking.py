"""Ids stay with their things: through misses, unsure answers, crossings and the frame's edge; and are never given twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgeseg.core.masks import InstanceMasks
from edgeseg.vision.tracking import Tracker

WIDTH, HEIGHT, FPS = 320, 180, 30.0
Box = tuple[float, float, float, float]


def frame(boxes: Sequence[Box], scores: Sequence[float] | None = None, labels: Sequence[int] | None = None):
    """Things that fill their boxes."""
    masks = np.zeros((len(boxes), HEIGHT, WIDTH), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[max(0, round(y0)) : max(0, round(y1)), max(0, round(x0)) : max(0, round(x1))] = True
    said = np.array([0.9] * len(boxes) if scores is None else scores, np.float32)
    kinds = np.array([0] * len(boxes) if labels is None else labels, np.uint8)
    return InstanceMasks(masks, np.array(boxes, np.float32).reshape(-1, 4), said, kinds, ("car", "person"))


def walker(x: float, y: float = 60, width: float = 24, height: float = 60) -> Box:
    return x, y, x + width, y + height


def ids(things: InstanceMasks) -> list[int]:
    assert things.ids is not None
    assert things.ids.dtype == np.int64
    return things.ids.tolist()


def test_things_keep_their_ids_while_they_move_and_come_in_any_order() -> None:
    tracker = Tracker()
    for index in range(40):
        left, right = walker(20 + 4 * index), walker(200 - 3 * index, y=100)
        turned = index % 2
        answer = tracker(frame([right, left] if turned else [left, right]), index / FPS)
        assert ids(answer) == ([2, 1] if turned else [1, 2])


def test_a_thing_that_was_missed_for_half_a_second_is_found_where_it_went() -> None:
    tracker = Tracker()
    for index in range(15):
        tracker(frame([walker(5 + 5 * index)]), index / FPS)
    for index in range(15, 30):
        assert ids(tracker(frame([]), index / FPS)) == []
    # It has gone on by 75 pixels, three times its width.
    assert ids(tracker(frame([walker(5 + 5 * 30)]), 30 / FPS)) == [1]


def test_a_thing_gone_for_longer_than_patience_is_another_one_and_no_id_is_used_twice() -> None:
    tracker = Tracker(patience=0.5)
    given = [ids(tracker(frame([walker(100)]), seconds)) for seconds in (0.0, 0.4, 1.0, 1.1, 3.0)]
    assert given == [[1], [1], [2], [2], [3]]


def test_two_who_cross_keep_their_ids() -> None:
    tracker = Tracker()
    for index in range(41):
        # The one in front hides most of the other in the middle, which is then not answered at all.
        a, b = walker(60 + 4 * index, y=60), walker(220 - 4 * index, y=70)
        hidden = abs(a[0] - b[0]) < 12
        answer = tracker(frame([a] if hidden else [a, b]), index / FPS)
        assert ids(answer) == ([1] if hidden else [1, 2])


def test_an_unsure_thing_goes_on_with_a_track_and_begins_none() -> None:
    tracker = Tracker(sure=0.4)
    assert ids(tracker(frame([walker(50)], [0.35]), 0)) == []
    assert ids(tracker(frame([walker(50), walker(200)], [0.45, 0.3]), 1 / FPS)) == [1]
    answer = tracker(frame([walker(200), walker(52)], [0.3, 0.31]), 2 / FPS)
    assert ids(answer) == [1]
    # What is left out is left out everywhere.
    assert answer.masks.shape == (1, HEIGHT, WIDTH)
    assert answer.boxes.tolist() == [list(walker(52))]
    assert answer.scores.tolist() == pytest.approx([0.31])
    assert len(answer.labels) == 1


def test_a_sure_thing_has_the_first_choice() -> None:
    tracker = Tracker()
    tracker(frame([walker(50)]), 0)
    assert ids(tracker(frame([walker(50), walker(53)], [0.3, 0.9]), 1 / FPS)) == [1]


def test_a_thing_of_another_class_is_another_thing() -> None:
    tracker = Tracker()
    tracker(frame([walker(50)]), 0)
    assert ids(tracker(frame([walker(50), walker(51)], labels=[1, 0]), 1 / FPS)) == [2, 1]


def test_what_went_away_from_the_camera_is_not_expected_to_shrink_to_nothing() -> None:
    tracker = Tracker()
    for index in range(12):
        half = 30 - 2 * index
        tracker(frame([(150 - half, 90 - half, 150 + half, 90 + half)]), index / FPS)
    for index in range(12, 32):
        tracker(frame([]), index / FPS)
    assert ids(tracker(frame([(143, 83, 157, 97)]), 32 / FPS)) == [1]


def test_what_leaves_the_frame_keeps_its_id_to_the_last_columns() -> None:
    tracker = Tracker()
    for index, x in enumerate([*range(80, WIDTH - 6, 6), WIDTH - 6]):
        # From where it touches the edge on it is missed, but for the last six columns.
        seen = x + 60 <= WIDTH or x >= WIDTH - 6
        answer = tracker(frame([(x, 60, min(x + 60, WIDTH), 100)] if seen else []), index / FPS)
        assert ids(answer) == ([1] if seen else [])


def test_the_same_at_a_camera_of_five_frames_a_second() -> None:
    tracker = Tracker()
    boxes = [[walker(10 + 20 * index), walker(120, y=20 + 12 * index, height=40)] for index in range(8)]
    assert [ids(tracker(frame(pair), index / 5)) for index, pair in enumerate(boxes)] == [[1, 2]] * 8


def test_two_hundred_things_and_none() -> None:
    boxes = [(x, y, x + 11, y + 11) for x in range(0, 320, 20) for y in range(0, 180, 14)][:200]
    tracker = Tracker()
    assert ids(tracker(frame([]), 0)) == []
    first = ids(tracker(frame(boxes), 1 / FPS))
    assert sorted(first) == list(range(1, 201))
    assert ids(tracker(frame([(x0 + 2, y0, x1 + 2, y1) for x0, y0, x1, y1 in boxes]), 2 / FPS)) == first
    assert ids(tracker(frame([]), 3 / FPS)) == []


def test_the_same_frames_have_the_same_ids_and_what_was_given_stays_as_it_is() -> None:
    rng = np.random.default_rng(5)
    frames = [
        frame([(x, y, x + 30, y + 40) for x, y in rng.uniform(0, 130, (6, 2))], rng.uniform(0.3, 1, 6).tolist())
        for _ in range(12)
    ]
    before = [(things.boxes.copy(), things.masks.copy()) for things in frames]
    first, second = (
        [ids(track(things, i / FPS)) for i, things in enumerate(frames)] for track in (Tracker(), Tracker())
    )
    assert first == second
    for things, (boxes, masks) in zip(frames, before, strict=True):
        assert things.ids is None
        assert (things.boxes == boxes).all() and (things.masks == masks).all()


def test_boxes_without_an_area_and_a_clock_that_stands_do_no_harm() -> None:
    tracker = Tracker()
    for _ in range(3):
        answer = tracker(frame([(10, 10, 10, 50), walker(100)]), 1.0)
        assert len(set(ids(answer))) == 2
        assert ids(answer)[1] == 2
