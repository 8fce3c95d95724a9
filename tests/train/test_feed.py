"""What a step is fed with follows from seed, epoch and sample, whoever makes it and however many share it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.camvid import CamVid
from edgeseg.data.protocol import Sample, Samples
from edgeseg.train import feed, schedule
from edgeseg.train.feed import Batch, Feed
from edgeseg.train.loop import train
from edgeseg.train.recipe import View
from edgeseg.train.semantic import _open_sets
from tests.train.conftest import Recipes

VIEW = View(input_size=(96, 64), crop=(64, 32))
STILL = View(input_size=(32, 32), crop=(32, 32), scale=(1, 1), aspect=1.0, colour=0)


class Plain:
    """Pictures of one grey each, all of class 0 but for a row that is not judged; counts how often each was read."""

    classes: tuple[str, ...] = ("thing", "other")
    palette: tuple[tuple[int, int, int], ...] = ((0, 0, 0), (1, 1, 1))
    terms = "none"

    def __init__(self, *greys: int, class_id: int = 0) -> None:
        self.greys, self.class_id = greys, class_id
        self.reads = [0] * len(greys)

    def __len__(self) -> int:
        return len(self.greys)

    def __getitem__(self, index: int) -> Sample:
        self.reads[index] += 1
        labels = np.full((32, 32), self.class_id, np.uint8)
        labels[0] = IGNORE_ID
        return str(index), np.full((32, 32, 3), self.greys[index], np.uint8), labels


def _all(sets: list[Samples], epoch: int, *, seed: int = 0, share: tuple[int, int] = (0, 1)) -> list[Batch]:
    return list(Feed(sets, VIEW, 4, seed, share).batches(epoch))


def _greys(batch: Batch) -> list[int]:
    return [int(image[0, 0, 0]) for image in batch[0]]


def _same(some: list[Batch], others: list[Batch]) -> bool:
    return len(some) == len(others) and all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(some, others, strict=True)
    )


def test_the_views_are_the_same_however_many_threads_make_them(
    street_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets: list[Samples] = [CamVid(street_folder, "train")]
    made = []
    for threads in (1, 5):
        monkeypatch.setattr(schedule, "spare_cores", lambda threads=threads: threads)
        made.append(_all(sets, 1))
    assert [batch[0].shape for batch in made[0]] == [(4, 32, 64, 3)] * 2
    assert [batch[1].shape for batch in made[0]] == [(4, 16, 32)] * 2
    assert _same(*made)


def test_another_epoch_and_another_seed_bring_other_views(street_folder: Path) -> None:
    sets: list[Samples] = [CamVid(street_folder, "train")]
    first = _all(sets, 0)
    assert _same(first, _all(sets, 0))
    assert not _same(first, _all(sets, 1))
    assert not _same(first, _all(sets, 0, seed=1))


def test_an_epoch_shows_each_sample_at_most_once_and_leaves_out_only_what_fills_no_batch() -> None:
    plain = Plain(*range(10, 21))
    fed = Feed([plain], STILL, 4, 0)
    assert (len(fed), fed.steps) == (11, 2)
    orders = [[grey for batch in fed.batches(epoch) for grey in _greys(batch)] for epoch in range(6)]
    assert all(len(order) == len(set(order)) == 8 for order in orders)
    assert set().union(*orders) == set(plain.greys)


def test_two_processes_take_turns_in_the_whole_batch(street_folder: Path) -> None:
    sets: list[Samples] = [CamVid(street_folder, "train")]
    parts = [_all(sets, 3, share=(rank, 2)) for rank in (0, 1)]
    whole = _all(sets, 3)
    assert [len(batch[0]) for part in parts for batch in part] == [2] * 4
    for batch, even, odd in zip(whole, *parts, strict=True):
        for kind in (0, 1):
            np.testing.assert_array_equal(batch[kind][0::2], even[kind])
            np.testing.assert_array_equal(batch[kind][1::2], odd[kind])


@pytest.mark.parametrize(("batch", "images", "processes"), [(5, 8, 2), (2, 8, 2), (1, 8, 1), (4, 1, 1), (8, 3, 2)])
def test_parts_that_are_not_equal_or_too_small_for_batch_norm_are_refused(
    batch: int, images: int, processes: int
) -> None:
    with pytest.raises(UsageError, match=r"each takes as many as the others, and 2 or more"):
        Feed([Plain(*range(images))], STILL, batch, 0, (0, processes))


def test_counts_are_those_of_the_judged_pixels() -> None:
    fed = Feed([Plain(1, 2), Plain(3, class_id=1)], STILL, 2, 0)
    assert fed.counts.tolist() == [2 * 31 * 32, 31 * 32]


def test_several_data_sets_are_mixed_into_one_order() -> None:
    few, many = Plain(*range(100, 104)), Plain(*range(200, 212), class_id=1)
    batches = list(Feed([few, many], STILL, 4, 0).batches(0))
    shown = [grey for batch in batches for grey in _greys(batch)]
    assert sorted(shown) == [*few.greys, *many.greys]
    assert shown != sorted(shown)
    for images, labels in batches:
        for image, judged in zip(images, labels, strict=True):
            assert set(np.unique(judged)) - {IGNORE_ID} == {int(image[0, 0, 0] >= 200)}


def test_what_is_beyond_the_memory_budget_is_decoded_anew_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(budget: int) -> tuple[list[Batch], list[int]]:
        monkeypatch.setattr(feed, "KEPT_BYTES", budget)
        plain = Plain(*range(8))
        return _all([plain], 0), plain.reads

    one = 32 * 32 * 4
    (kept, once), (decoded, again) = seen(100 * one), seen(3 * one + 1)
    assert once == [1] * 8
    assert again == [1] * 3 + [2] * 5
    assert _same(kept, decoded)


def test_an_address_may_name_the_split_to_learn_from(street_folder: Path, recipe: Recipes) -> None:
    address = f"camvid:{street_folder}"
    assert [len(samples) for samples in _open_sets(recipe(data=(address, f"{address}@val")), None)] == [8, 2]
    with pytest.raises(EdgesegError, match="nights: no images in it"):
        train(recipe(data=(f"{address}@nights",)))


def test_an_at_sign_in_a_folders_name_is_no_split(street_folder: Path, tmp_path: Path, recipe: Recipes) -> None:
    (tmp_path / "me@home").mkdir()
    (tmp_path / "me@home" / "frames").symlink_to(street_folder)
    assert len(_open_sets(recipe(data=(f"camvid:{tmp_path}/me@home/frames",)), None)[0]) == 8


def test_a_set_is_repeated_with_views_of_its_own_each_time_and_read_once() -> None:
    few, many = Plain(*range(100, 102)), Plain(*range(200, 206), class_id=1)
    fed = Feed([few, many], VIEW, 4, 0, repeat=(3, 1))
    assert (len(fed), fed.steps) == (12, 3)
    assert fed.counts.tolist() == [3 * 2 * 31 * 32, 6 * 31 * 32]
    assert few.reads == [1, 1]
    shown = [fed.view(0, index)[0] for index in (0, 2, 4)]
    assert not np.array_equal(shown[0], shown[1]) or not np.array_equal(shown[1], shown[2])
