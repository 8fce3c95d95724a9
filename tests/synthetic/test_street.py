"""The rendered street: the same bytes for the same question, exact labels, instances that keep their names."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edgeseg.core.classes import STREET_CLASSES
from edgeseg.synthetic import Street, StreetView

CAR, PEDESTRIAN, BICYCLIST = 8, 9, 10
SIZE = (320, 180)


@pytest.fixture(scope="module")
def street() -> Street:
    return Street(1, *SIZE)


@pytest.fixture(scope="module")
def drive(street: Street) -> list[StreetView]:
    """20 seconds, two frames a second."""
    return [street.render(index) for index in range(0, 600, 15)]


def same(first: StreetView, second: StreetView) -> bool:
    return (
        np.array_equal(first.image, second.image)
        and np.array_equal(first.labels, second.labels)
        and np.array_equal(first.instances, second.instances)
        and first.objects == second.objects
    )


def test_a_view_has_the_promised_shapes_and_types(drive: list[StreetView]) -> None:
    view = drive[0]
    assert view.image.shape == (180, 320, 3)
    assert view.image.dtype == np.uint8
    assert view.labels.shape == (180, 320)
    assert view.labels.dtype == np.uint8
    assert view.instances.shape == (180, 320)
    assert view.instances.dtype == np.uint16


def test_the_caller_owns_what_it_was_given(street: Street) -> None:
    first = street.render(3)
    kept = first.image.copy(), first.labels.copy(), first.instances.copy()
    street.render(400)
    assert all(np.array_equal(a, b) for a, b in zip(kept, (first.image, first.labels, first.instances), strict=True))
    first.image[:] = 0
    assert street.render(3).image.any()


def test_a_frame_does_not_depend_on_those_rendered_before(street: Street, drive: list[StreetView]) -> None:
    assert same(street.render(300), drive[20])
    street.render(1_000_000)
    assert same(street.render(45), drive[3])


def test_another_street_of_the_same_seed_is_the_same(drive: list[StreetView]) -> None:
    assert same(Street(1, *SIZE).render(585), drive[39])


def test_another_seed_is_another_street(drive: list[StreetView]) -> None:
    other = Street(2, *SIZE).render(0)
    assert (other.labels != drive[0].labels).mean() > 0.1
    assert np.abs(other.image.astype(int) - drive[0].image).mean() > 5


def test_the_rate_only_says_when_frames_are_taken(drive: list[StreetView]) -> None:
    assert np.array_equal(Street(1, *SIZE, fps=15.0).render(150).labels, drive[20].labels)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_every_class_is_met_within_twenty_seconds(seed: int) -> None:
    street = Street(seed, *SIZE)
    met: set[int] = set()
    for index in range(0, 600, 15):
        met |= set(np.unique(street.render(index).labels).tolist())
    assert met == set(range(len(STREET_CLASSES)))


def test_the_street_is_made_up_about_as_streets_are(drive: list[StreetView]) -> None:
    share = np.mean([np.bincount(v.labels.ravel(), minlength=11) / v.labels.size for v in drive], axis=0)
    named = dict(zip(STREET_CLASSES, share, strict=True))
    assert 0.25 < named["road"] < 0.45
    assert 0.1 < named["building"] < 0.4
    assert 0.08 < named["sky"] < 0.3
    assert named["car"] > 0.02
    assert named["pedestrian"] > 0.003
    assert named["pole"] > 0.002


def test_movers_and_only_they_are_instances(drive: list[StreetView]) -> None:
    for view in drive:
        assert np.array_equal(view.instances > 0, view.labels >= CAR)


def test_objects_are_those_seen_each_with_one_class(drive: list[StreetView]) -> None:
    for view in drive:
        seen = {
            (int(i), int(label))
            for i, label in zip(view.instances[view.instances > 0], view.labels[view.instances > 0], strict=True)
        }
        assert {(o.id, o.label) for o in view.objects} == seen
        assert len({i for i, _ in seen}) == len(seen)


def test_objects_keep_their_names_while_they_move(street: Street) -> None:
    """At the crossing the drive halts, so that from frame to frame nothing moves by more than a few pixels."""
    views = [street.render(index) for index in range(555, 570)]
    for before, after in pairwise(views):
        first, second = (
            {o.id: (o.label, np.argwhere(v.instances == o.id)) for o in v.objects} for v in (before, after)
        )
        large = [i for i, (_, pixels) in first.items() if len(pixels) > 40]
        assert {first[i][0] for i in large} == {CAR, PEDESTRIAN, BICYCLIST}
        for i in large:
            assert second[i][0] == first[i][0]
            assert np.abs(second[i][1].mean(0) - first[i][1].mean(0)).max() < 6
    assert len({o.id for o in views[0].objects} & {o.id for o in views[-1].objects}) >= 20


def test_the_picture_moves_with_time(street: Street) -> None:
    first, later = street.render(200), street.render(215)
    assert np.abs(first.image.astype(int) - later.image).mean() > 2


def test_sky_is_above_road_and_brighter(drive: list[StreetView]) -> None:
    for view in drive[::8]:
        rows = np.arange(SIZE[1])[:, None] * np.ones(SIZE[0])
        sky, road = view.labels == 0, view.labels == 3
        assert rows[sky].mean() < rows[road].mean()
        assert view.image[sky].mean() > view.image[road].mean()


@pytest.mark.parametrize("size", [(32, 24), (33, 25), (160, 120), (120, 160)])
def test_small_and_odd_sizes_work(size: tuple[int, int]) -> None:
    view = Street(5, *size).render(7)
    assert view.image.shape == (size[1], size[0], 3)
    assert view.labels.max() <= 10
    assert view.image.std() > 10


def test_far_frames_work(street: Street) -> None:
    view = street.render(10_000_000)
    assert len(view.objects) > 3
    assert view.labels.max() <= 10
