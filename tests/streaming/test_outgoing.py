"""What leaves is what the model said, of the classes and at the size that were asked for."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import SemanticMask
from edgeseg.streaming.outgoing import Outbox
from edgeseg.streaming.wall_clock import WallClock
from edgeseg.vision.overlay import colour_of_id
from tests.streaming.scene import CLASSES, HEIGHT, IGNORE, WIDTH, disc, scene_bundle, scene_result


def test_a_label_map_leaves_as_it_is() -> None:
    outgoing = Outbox(scene_bundle())(scene_result(3), 5)
    np.testing.assert_array_equal(outgoing.labels, disc(3))
    assert (outgoing.sequence, outgoing.things, outgoing.thing_map) == (5, None, None)


def test_how_sure_the_model_is_leaves_in_bytes_at_the_size_that_was_asked_for() -> None:
    sure = Outbox(scene_bundle())(scene_result(3), 1).confidence
    assert sure is not None and sure.dtype == np.uint8
    np.testing.assert_array_equal(sure, np.where(disc(3), 230, 153))
    smaller = Outbox(scene_bundle(), size=(WIDTH // 4, HEIGHT // 4))(scene_result(3), 1).confidence
    assert smaller is not None
    np.testing.assert_array_equal(smaller[10:20, 10:20], 230)
    assert smaller.shape == (HEIGHT // 4, WIDTH // 4)


def test_of_things_and_of_truths_no_confidence_leaves() -> None:
    assert Outbox(scene_bundle("instances"))(scene_result(3, instances=True), 1).confidence is None
    result = scene_result(3)
    truth = SemanticMask(np.zeros((HEIGHT, WIDTH), np.uint8), CLASSES)
    assert Outbox(scene_bundle())(replace(result, masks=truth), 1).confidence is None


def test_a_painted_picture_has_each_class_in_its_colour_and_the_ignored_pixels_as_they_were() -> None:
    bundle = scene_bundle()
    outgoing = Outbox(bundle, ["disc"])(scene_result(3), 1)
    painted, inside = outgoing.painted(bundle.palette).astype(int), disc(3)
    np.testing.assert_array_equal(painted[~inside], outgoing.image[~inside])
    half_way = (outgoing.image[60, 58].astype(int) + bundle.palette[1][::-1]) / 2
    assert inside[60, 58]
    np.testing.assert_allclose(painted[60, 58], half_way, atol=1)


def test_a_painted_thing_has_the_colour_of_its_id_and_all_else_is_as_it_was() -> None:
    bundle = scene_bundle("instances")
    outgoing = Outbox(bundle, ["disc"])(scene_result(3, instances=True), 1)
    painted, inside = outgoing.painted(bundle.palette).astype(int), disc(3)
    np.testing.assert_array_equal(painted[~inside], outgoing.image[~inside])
    half_way = (outgoing.image[60, 58].astype(int) + colour_of_id(7)[::-1]) / 2
    np.testing.assert_allclose(painted[60, 58], half_way, atol=1)


def test_without_a_thing_the_painted_picture_is_the_picture() -> None:
    outgoing = Outbox(scene_bundle("instances"), ["sky"])(scene_result(3, instances=True), 1)
    np.testing.assert_array_equal(outgoing.painted(scene_bundle().palette), outgoing.image)


def test_of_chosen_classes_the_ids_stay_and_all_else_is_ignored() -> None:
    outgoing = Outbox(scene_bundle(), ["disc", "sky"])(scene_result(3), 1)
    np.testing.assert_array_equal(outgoing.labels, np.where(disc(3), 1, IGNORE))


def test_a_smaller_map_holds_no_label_that_the_whole_one_has_not_and_keeps_the_shares() -> None:
    outgoing = Outbox(scene_bundle(), size=(80, 60))(scene_result(3), 1)
    assert outgoing.labels.shape == (60, 80)
    assert set(np.unique(outgoing.labels)) == {0, 1}
    assert outgoing.labels.mean() == pytest.approx(disc(3).mean(), rel=0.03)
    assert outgoing.image.shape == (60, 80, 3)


def test_things_leave_the_surest_first_and_on_top() -> None:
    outgoing = Outbox(scene_bundle("instances"))(scene_result(3, instances=True), 1)
    assert outgoing.things is not None
    assert outgoing.things["id"].tolist() == [7, 9]
    assert outgoing.things["label"].tolist() == [1, 0]
    np.testing.assert_array_equal(outgoing.thing_map, np.where(disc(3), 1, 2))
    np.testing.assert_array_equal(outgoing.labels, np.where(disc(3), 1, 0))


def test_boxes_follow_the_size() -> None:
    whole = Outbox(scene_bundle("instances"))(scene_result(3, instances=True), 1)
    half = Outbox(scene_bundle("instances"), size=(WIDTH // 2, HEIGHT // 2))(scene_result(3, instances=True), 1)
    assert whole.things is not None and half.things is not None
    np.testing.assert_allclose(half.things["box"], whole.things["box"] / 2)
    assert half.thing_map is not None and half.thing_map.shape == (HEIGHT // 2, WIDTH // 2)


def test_things_of_other_classes_stay_and_where_nothing_is_the_map_says_so() -> None:
    outgoing = Outbox(scene_bundle("instances"), ["disc"])(scene_result(3, instances=True), 1)
    assert outgoing.things is not None
    assert outgoing.things["id"].tolist() == [7]
    np.testing.assert_array_equal(outgoing.thing_map, disc(3))
    np.testing.assert_array_equal(outgoing.labels, np.where(disc(3), 1, IGNORE))


def test_a_class_that_the_model_has_not_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="--classes disk: this model has no such class: did you mean disc"):
        Outbox(scene_bundle(), ["ground", "disk"])
    assert CLASSES[1] == "disc"


def test_a_capture_time_becomes_the_same_moment_on_the_wall_clock() -> None:
    clock = WallClock()
    before, now, after = time.time_ns(), time.monotonic_ns(), time.time_ns()
    assert before - 10_000_000 <= clock(now) <= after + 10_000_000
    assert clock(now - 12_345) == pytest.approx(clock(now) - 12_345, abs=10_000_000)


def test_a_wall_clock_that_is_set_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic, wall = 10**12, 10**18
    monkeypatch.setattr(time, "monotonic_ns", lambda: monotonic)
    monkeypatch.setattr(time, "time_ns", lambda: wall)
    clock = WallClock()
    assert clock(monotonic - 5) == wall - 5
    wall += 3600 * 10**9
    monotonic += 2 * 10**9
    assert clock(monotonic - 5) == wall - 5
