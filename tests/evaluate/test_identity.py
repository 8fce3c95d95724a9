"""IDF1, switches and fragmentation of cases that can be counted by hand; and the tracker on the street."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import InstanceMasks
from edgeseg.data.instances import mask_boxes
from edgeseg.evaluate.identity import Identity, street_truth
from edgeseg.synthetic import Street
from edgeseg.vision.tracking import Tracker

Thing = tuple[int, int]
"""An id, and the column where its square begins."""


def frame(*things: Thing, labels: Sequence[int] | None = None) -> InstanceMasks:
    """Squares of 10 pixels in a frame of 20 x 100."""
    masks = np.zeros((len(things), 20, 100), bool)
    for mask, (_, column) in zip(masks, things, strict=True):
        mask[5:15, column : column + 10] = True
    ids = np.array([number for number, _ in things], np.int64)
    kinds = np.array([0] * len(things) if labels is None else labels, np.uint8)
    return InstanceMasks(masks, mask_boxes(masks), np.ones(len(things), np.float32), kinds, ("car", "person"), ids)


def judged(frames: Sequence[tuple[InstanceMasks, InstanceMasks]]) -> dict:
    identity = Identity()
    for truth, answer in frames:
        identity.add(truth, answer)
    return identity.figures()


def test_ids_that_stay_are_perfect_whatever_they_are_called() -> None:
    said = judged([(frame((1, i), (2, 50 + i)), frame((7, 50 + i), (9, i))) for i in range(10)])
    assert (said["idf1"], said["id_precision"], said["id_recall"], said["mota"]) == (1, 1, 1, 1)
    assert (said["switches"], said["fragmentations"], said["tracks"], said["answered_tracks"]) == (0, 0, 2, 2)


def test_a_new_id_halfway_is_a_switch_and_half_the_track() -> None:
    said = judged([(frame((1, i)), frame((3 if i < 6 else 4, i))) for i in range(10)])
    # The true track is given to the id that has 6 of its 10 frames.
    assert said["idf1"] == pytest.approx(6 / 10)
    assert (said["switches"], said["fragmentations"], said["answered_tracks"]) == (1, 0, 2)
    assert (said["mota"], said["f1"]) == (pytest.approx(1 - 1 / 10), 1)


def test_two_things_that_change_ids() -> None:
    swapped = [(frame((1, 10), (2, 60)), frame((1 if i < 5 else 2, 10), (2 if i < 5 else 1, 60))) for i in range(10)]
    said = judged(swapped)
    assert (said["idf1"], said["switches"], said["fragmentations"]) == (pytest.approx(0.5), 2, 0)


def test_a_gap_is_a_fragmentation_only_where_the_thing_was_there() -> None:
    missed = [(frame((1, i)), frame((5, i)) if not 4 <= i < 6 else frame()) for i in range(10)]
    said = judged(missed)
    # 8 of 10 true things and of 8 answered ones.
    assert said["idf1"] == pytest.approx(2 * 8 / (10 + 8))
    assert (said["id_precision"], said["id_recall"]) == (1, pytest.approx(0.8))
    assert (said["switches"], said["fragmentations"], said["mota"]) == (0, 1, pytest.approx(0.8))
    hidden = [(truth if len(answer) else frame(), answer) for truth, answer in missed]
    assert (judged(hidden)["idf1"], judged(hidden)["fragmentations"]) == (1, 0)


def test_only_masks_that_overlap_by_half_and_of_one_class_show_one_thing() -> None:
    # 10 x 10 moved by 3: IoU 7/13; by 4: 6/14.
    assert judged([(frame((1, 20)), frame((1, 23)))])["idf1"] == 1
    assert judged([(frame((1, 20)), frame((1, 24)))])["idf1"] == 0
    assert judged([(frame((1, 20)), frame((1, 20), labels=[1]))])["idf1"] == 0


def test_a_pair_of_before_is_kept_where_it_still_can_be() -> None:
    # Two answers show one thing, and the other one lies a little better from the second frame on.
    said = judged([(frame((1, 20)), frame((5, 20 + (i > 0)), (6, 21 - (i > 0)))) for i in range(5)])
    assert (said["switches"], said["idf1"]) == (0, pytest.approx(2 * 5 / (5 + 10)))


def test_nothing_is_asked_where_the_truth_is_not_judged() -> None:
    identity = Identity()
    for i in range(4):
        truth = frame((1, i), (2, 60))
        identity.add(truth, frame((1, i), (8, 62)), np.array([False, True]))
    assert (identity.figures()["idf1"], identity.figures()["mota"], identity.figures()["tracks"]) == (1, 1, 1)
    # Where little of an answer lies in the region, it is false.
    identity.add(frame((1, 5), (2, 60)), frame((1, 5), (8, 68)), np.array([False, True]))
    assert identity.figures()["idf1"] == pytest.approx(2 * 5 / (5 + 6))


def test_an_unmatched_answer_too_small_to_be_asked_for_is_not_false() -> None:
    # Every mask here has 100 pixels.
    for least, idf1 in ((100, 2 / 3), (101, 1.0)):
        identity = Identity(least)
        identity.add(frame((1, 10)), frame((4, 10), (5, 70)))
        assert (identity.figures()["idf1"], identity.figures()["recall"]) == (pytest.approx(idf1), 1)


def test_each_stream_has_ids_of_its_own() -> None:
    identity = Identity()
    identity.add(frame((1, 10)), frame((4, 10)))
    identity.next_stream()
    identity.add(frame((1, 10)), frame((5, 10)))
    assert (identity.figures()["idf1"], identity.figures()["switches"], identity.figures()["tracks"]) == (1, 0, 2)


def test_of_the_things_found_it_tells_how_many_and_how_well() -> None:
    # Two true things, one of them found by a mask moved by 2 (IoU 8/12), and one that is not there.
    said = judged([(frame((1, 10), (2, 40)), frame((1, 12), (5, 70)))])
    assert (said["precision"], said["recall"], said["f1"]) == (0.5, 0.5, 0.5)
    assert said["mask_iou"] == pytest.approx(8 / 12)


def test_frames_with_nothing_and_answers_without_ids() -> None:
    said = judged([(frame(), frame())])
    assert (said["idf1"], said["mota"], said["switches"]) == (None, None, 0)
    with pytest.raises(UsageError, match="Tracker"):
        judged([(frame((1, 0)), replace(frame((1, 0)), ids=None))])


def seen(truth: InstanceMasks, unjudged: NDArray[np.bool_], rng: np.random.Generator) -> InstanceMasks:
    """What a detector says that misses one thing in ten and whose boxes tremble by 3 % of their size."""
    found = np.flatnonzero(~unjudged & (rng.random(len(truth)) >= 0.1))
    boxes = truth.boxes[found]
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1, keepdims=True))
    boxes = (boxes + rng.normal(0, 0.03, boxes.shape) * size).astype(np.float32)
    scores = np.full(len(found), 0.9, np.float32)
    return InstanceMasks(truth.masks[found], boxes, scores, truth.labels[found], truth.classes)


def test_ids_stay_with_their_things_on_the_street() -> None:
    drive, rng = Street(2, 160, 90), np.random.default_rng(0)
    tracker, identity = Tracker(), Identity()
    for index in range(45):
        truth, unjudged = street_truth(drive.render(2 * index), least=40)
        identity.add(truth, tracker(seen(truth, unjudged, rng), index / 15), unjudged)
    said = identity.figures()
    assert said["tracks"] > 5
    # One thing in ten being missed, 2 * 0.9 / 1.9 = 0.947 is what perfect ids would have.
    assert said["idf1"] > 0.85
    assert said["id_precision"] > 0.9
