"""Batches of instances follow from seed, epoch and sample alone, and carry the pastes and the labelled classes along."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.core.errors import UsageError
from edgeseg.data.instances import Instances, InstanceSample
from edgeseg.train import instance_feed
from edgeseg.train.instance_augment import CopyPaste
from edgeseg.train.instance_feed import Batch, InstanceFeed
from edgeseg.train.recipe import View

VIEW = View(input_size=(64, 64), crop=(64, 64))
PLAIN = View(input_size=(64, 64), crop=(64, 64), scale=(1, 1), aspect=1.0, colour=0)


class Squares:
    """Sample i: an image of grey i + 1 with i squares of classes 0, 1, 0, ... in white; the last one is a crowd."""

    classes: tuple[str, ...] = ("odd", "even")
    palette: tuple[tuple[int, int, int], ...] = ((255, 0, 0), (0, 255, 0))
    terms = "none"

    def __init__(self, count: int, labelled: tuple[str, ...] = ("odd", "even")) -> None:
        self._count, self.labelled = count, labelled
        self.partial = len(labelled) < 2

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> InstanceSample:
        image = np.full((48, 112, 3), index + 1, np.uint8)
        masks = np.zeros((index, 48, 112), bool)
        for position, mask in enumerate(masks):
            mask[10:30, 2 + 13 * position : 12 + 13 * position] = True
            image[mask] = 255
        crowd = np.arange(index) == index - 1
        return str(index), image, Instances(masks, np.arange(index) % 2, crowd)


def same(one: Batch, two: Batch) -> bool:
    targets = zip(one[1], two[1], strict=True)
    return np.array_equal(one[0], two[0]) and all(
        np.array_equal(a, b) for pair in targets for a, b in zip(*pair, strict=True)
    )


def judged(feed: InstanceFeed, epoch: int, index: int) -> int:
    return int((~feed.view(epoch, index)[1].crowd).sum())


def test_an_epoch_is_batches_of_each_sample_once() -> None:
    feed = InstanceFeed([Squares(5), Squares(2)], PLAIN, 3, seed=1, paste=CopyPaste(share=0))
    assert (len(feed), feed.steps) == (7, 2)
    batches = list(feed.batches(0))
    assert [(images.shape, len(targets)) for images, targets in batches] == [((3, 64, 64, 3), 3)] * 2
    greys = [int(image[50, 32, 0]) for images, _ in batches for image in images]
    assert len(greys) == 6
    assert all(greys.count(grey) <= (2 if grey <= 2 else 1) for grey in greys)
    for images, targets in batches:
        for image, target in zip(images, targets, strict=True):
            assert len(target.labels) == image[50, 32, 0] - 1
            assert target.crowd.sum() == min(len(target.labels), 1)


def test_batches_follow_from_seed_and_epoch() -> None:
    def feed(seed: int) -> list[Batch]:
        return list(InstanceFeed([Squares(6)], VIEW, 2, seed, paste=CopyPaste(share=1)).batches(3))

    first, again, other = feed(1), feed(1), feed(2)
    assert all(same(one, two) for one, two in zip(first, again, strict=True))
    assert not any(same(one, two) for one, two in zip(first, other, strict=True))
    made = InstanceFeed([Squares(6)], VIEW, 2, 1)
    assert not any(np.array_equal(made.view(0, index)[0], made.view(1, index)[0]) for index in range(6))


def test_processes_share_the_batches_of_one() -> None:
    whole = InstanceFeed([Squares(8)], VIEW, 4, 1).batches(0)
    parts = [InstanceFeed([Squares(8)], VIEW, 4, 1, (rank, 2)).batches(0) for rank in (0, 1)]
    for (images, targets), (even, _), (odd, last) in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(images[0::2], even)
        np.testing.assert_array_equal(images[1::2], odd)
        assert same((odd, targets[1::2]), (odd, last))


def test_what_does_not_fit_into_memory_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list(InstanceFeed([Squares(6)], VIEW, 3, 1).batches(0))
    monkeypatch.setattr(instance_feed, "KEPT_BYTES", 30_000)
    read = list(InstanceFeed([Squares(6)], VIEW, 3, 1).batches(0))
    assert all(same(one, two) for one, two in zip(kept, read, strict=True))


def test_things_are_pasted_from_another_image() -> None:
    paste = CopyPaste(share=1, scale=(1, 1))
    # Sample 2 alone has a thing that is judged, so that the others get it and itself gets none.
    feed = InstanceFeed([Squares(3)], PLAIN, 2, 1, paste=paste)
    assert [[judged(feed, epoch, index) for index in range(3)] for epoch in range(4)] == [[1, 1, 1]] * 4
    image, target = feed.view(0, 0)
    x0, y0, x1, y1 = np.round(64 * target.boxes[0]).astype(int)
    assert (image[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] == 255).all()
    off = InstanceFeed([Squares(3)], PLAIN, 2, 1, paste=CopyPaste(share=0))
    assert [judged(off, 0, index) for index in range(3)] == [0, 0, 1]


def test_a_mosaic_shows_things_of_other_images() -> None:
    alone, among = (
        InstanceFeed([Squares(8)], PLAIN, 4, 1, paste=CopyPaste(share=0), mosaic=share) for share in (0.0, 1.0)
    )
    assert [judged(alone, 0, 0), judged(alone, 1, 0)] == [0, 0]
    assert max(judged(among, epoch, 0) for epoch in range(4)) > 0


def test_judged_things_are_counted_by_class() -> None:
    assert InstanceFeed([Squares(4)], VIEW, 2, 1).counts.tolist() == [2, 1]


def test_a_target_says_which_classes_were_looked_for_in_its_image() -> None:
    feed = InstanceFeed([Squares(2), Squares(2, labelled=("even",))], VIEW, 2, 1)
    assert [feed.view(0, index)[1].labelled.tolist() for index in (1, 2, 3)] == [
        [True, True],
        [False, True],
        [False, True],
    ]


@pytest.mark.parametrize(("count", "batch", "processes"), [(1, 4, 1), (4, 1, 1), (8, 4, 3), (8, 2, 2)])
def test_a_step_of_one_image_or_of_unequal_parts_is_wrong_usage(count: int, batch: int, processes: int) -> None:
    with pytest.raises(UsageError, match="each takes as many"):
        InstanceFeed([Squares(count)], VIEW, batch, 1, (0, processes))
