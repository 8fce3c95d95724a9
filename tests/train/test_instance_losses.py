"""Anchors find their truths by ATSS, each loss is the paper's, and none of them is ever no number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from edgeseg.models.yolact import YolactOutput, anchors, decode_boxes
from edgeseg.train.instance_losses import (
    BACKGROUND,
    IGNORED,
    MOST_MASKS,
    NEGATIVE,
    WEIGHTS,
    InstanceTarget,
    YolactLoss,
    class_loss,
    mask_loss,
    match,
    semantic_loss,
)

SIZE, CLASSES, PROTOTYPES = 64, 3, 4
ANCHORS = len(anchors(SIZE))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small only wait for each other on several cores, and the more so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def things(boxes: list[list[float]], labels: list[int] | None = None, crowd: tuple[int, ...] = ()) -> InstanceTarget:
    """Returns things whose masks fill their boxes, in sixteenths of the input; the `crowd` ones are crowds."""
    masks = torch.zeros(len(boxes), SIZE // 4, SIZE // 4, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[round(y0) : round(y1), round(x0) : round(x1)] = 1
    return InstanceTarget(
        torch.tensor(boxes).reshape(-1, 4) / 16,
        torch.tensor(labels or [0] * len(boxes), dtype=torch.int64),
        masks,
        torch.tensor([index in crowd for index in range(len(boxes))], dtype=torch.bool),
    )


def scattered(count: int, seed: int) -> InstanceTarget:
    """Returns things at random places, of any size down to one with no pixel at the prototypes' size."""
    draw = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=draw).sort(1).values.flatten(1) * 16
    labels = torch.randint(0, CLASSES, (count,), generator=draw).tolist()
    return things(corners.tolist(), labels)


def outputs(images: int = 1, seed: int = 0) -> YolactOutput:
    """Returns random outputs, leaves that a gradient can reach."""
    draw = torch.Generator().manual_seed(seed)
    side = SIZE // 4
    shapes = (
        (images, ANCHORS, 4),
        (images, ANCHORS, CLASSES + 1),
        (images, ANCHORS, PROTOTYPES),
        (images, PROTOTYPES, side, side),
        (images, CLASSES, side // 2, side // 2),
    )
    return YolactOutput(*(torch.randn(shape, generator=draw).requires_grad_() for shape in shapes))


def gradient(loss: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(loss, of)[0]


def overlap(first: list[float], second: list[float]) -> float:
    """Returns the IoU of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(width, 0) * max(height, 0)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (first, second)]
    return common / (sum(areas) - common)


# Matching


def matched(corners: Tensor, boxes: Tensor, crowd: list[bool]) -> Tensor:
    """Anchors of one level."""
    return match(corners, boxes, torch.tensor(crowd), (len(corners),))


def test_what_fits_best_is_positive_what_overlaps_is_ignored_the_rest_is_background() -> None:
    widths = (1.0, 0.5, 0.499, 0.4, 0.399, 0.1)
    corners = torch.tensor([[0, 0, width, 1] for width in widths] + [[2.0, 0, 3, 1]])
    # Mean and deviation of these overlaps are 0.41 and 0.30.
    found = matched(corners, torch.tensor([[0.0, 0, 1, 1]]), [False])
    assert found.tolist() == [0, IGNORED, IGNORED, IGNORED, BACKGROUND, BACKGROUND, BACKGROUND]


def test_of_several_truths_an_anchor_takes_the_one_that_it_overlaps_most() -> None:
    corners = torch.tensor([[0.0, 0, 9.9, 1], [0, 0, 8, 1], [2, 0, 10, 1], *[[50.0, 0, 51, 1]] * 6])
    boxes = torch.tensor([[2.0, 0, 10, 1], [0, 0, 8, 1], [40, 0, 41, 1]])
    assert matched(corners, boxes, [False] * 3).tolist() == [1, 1, 0, *[BACKGROUND] * 6]


@pytest.mark.parametrize("height", [24, 40, 66, 110, 180, 300])
@pytest.mark.parametrize("slenderness", [1, 2, 3])
def test_slender_things_have_several_anchors_of_any_size(height: int, slenderness: int) -> None:
    size = 320
    loss = YolactLoss(size)
    width = height / slenderness
    for x, y in ((100.0, 10.0), (103.3, 12.1)):
        box = torch.tensor([[x, y, x + width, y + height]]) / size
        assert (match(loss.corners, box, torch.tensor([False]), loss.levels) == 0).sum() >= 3


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10**6))
def test_each_truth_gets_an_anchor_of_its_own_the_best_overlap_first(count: int, of_them: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    # A coarse grid, so that many overlaps are equal and many truths want the same anchor.
    spans = torch.randint(0, 3, (count + of_them, 2, 2), generator=draw).sort(1).values
    spans[:, 1] += 1
    corners, boxes = spans.flatten(1).float().split([of_them, count])
    found = matched(corners, boxes, [False] * count)
    pairs = {
        (truth, anchor): overlap(boxes[truth].tolist(), corners[anchor].tolist())
        for truth, anchor in itertools.product(range(count), range(of_them))
    }
    own: dict[int, int] = {}
    for (truth, anchor), value in sorted(pairs.items(), key=lambda pair: -pair[1]):
        if value > 0 and truth not in own and anchor not in own.values():
            own[truth] = anchor
    assert {truth: int(found[anchor]) for truth, anchor in own.items()} == {truth: truth for truth in own}
    fitting = {
        pair for pair in pairs if pairs[pair] >= _threshold(pairs, pair[0]) + 1e-6 and _is_inside(corners, boxes, pair)
    }
    doubtful = {pair for pair in pairs if abs(pairs[pair] - _threshold(pairs, pair[0])) < 1e-6}
    for anchor in set(range(of_them)) - set(own.values()):
        claims = {pairs[truth, anchor] for truth in range(count) if (truth, anchor) in fitting}
        if claims:
            assert pairs[int(found[anchor]), anchor] >= max(claims) - 1e-6
        elif not any((truth, anchor) in doubtful for truth in range(count)):
            best = max(pairs[truth, anchor] for truth in range(count))
            assert found[anchor] == (IGNORED if best >= NEGATIVE - 1e-6 else BACKGROUND)


def _threshold(pairs: dict[tuple[int, int], float], truth: int) -> float:
    overlaps = [value for (whose, _), value in pairs.items() if whose == truth]
    mean = math.fsum(overlaps) / len(overlaps)
    return mean + math.sqrt(math.fsum((value - mean) ** 2 for value in overlaps) / len(overlaps))


def _is_inside(corners: Tensor, boxes: Tensor, pair: tuple[int, int]) -> bool:
    middle = (corners[pair[1], :2] + corners[pair[1], 2:]) / 2
    return bool(((middle > boxes[pair[0], :2]) & (middle < boxes[pair[0], 2:])).all())


def test_a_truth_smaller_than_any_anchor_is_still_somebodys() -> None:
    target = things([[8, 8, 8.1, 8.1]])
    loss = YolactLoss(SIZE)
    assert (match(loss.corners, target.boxes, target.crowd, loss.levels) == 0).sum() == 1


def test_an_anchor_in_a_crowd_is_neither_positive_nor_background() -> None:
    corners = torch.tensor([[0.0, 0, 1, 1], [9.3, 0, 10.3, 1], [9.31, 0, 10.31, 1], [5, 5, 6, 6], [20, 0, 21, 1]])
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 5, 6, 6]])
    found = matched(corners, boxes, [True, False])
    assert found.tolist() == [IGNORED, BACKGROUND, BACKGROUND, 1, BACKGROUND]
    assert matched(corners - torch.tensor([0.01, 0, 0.01, 0]), boxes[:1], [True])[1] == IGNORED


def test_an_anchor_around_a_single_thing_that_is_not_judged_is_not_background() -> None:
    corners = torch.tensor([[0.0, 0, 2, 1], [0, 0, 4, 1]])
    assert matched(corners, torch.tensor([[0.0, 0, 1, 1]]), [True]).tolist() == [IGNORED, BACKGROUND]


# Classes


def test_background_is_judged_three_to_one_where_it_is_hardest() -> None:
    logits = torch.zeros(40, CLASSES + 1)
    logits[:, 2] = torch.arange(40) / 10
    logits.requires_grad_()
    truth = torch.full((40,), BACKGROUND)
    truth[[3, 20]] = 0
    truth[[38, 39]] = IGNORED
    loss = class_loss(logits, truth, things([[0, 0, 8, 8]], [1]))
    judged = gradient(loss, logits).abs().sum(1).nonzero().flatten().tolist()
    assert judged == [3, 20, 32, 33, 34, 35, 36, 37]
    expected = F.cross_entropy(logits[judged], torch.tensor([2, 2, 0, 0, 0, 0, 0, 0]), reduction="sum")
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_an_image_of_nothing_teaches_what_is_background() -> None:
    logits = torch.randn(40, CLASSES + 1).requires_grad_()
    loss = class_loss(logits, torch.full((40,), BACKGROUND), things([]))
    assert gradient(loss, logits).abs().sum(1).count_nonzero() == 3


def test_where_everything_is_positive_or_ignored_no_background_is_judged() -> None:
    logits = torch.randn(4, CLASSES + 1).requires_grad_()
    loss = class_loss(logits, torch.tensor([0, IGNORED, IGNORED, 0]), things([[0, 0, 8, 8]]))
    assert gradient(loss, logits).abs().sum(1).nonzero().flatten().tolist() == [0, 3]


# Images in which only some classes are labelled


def test_background_means_none_of_the_labelled_classes() -> None:
    logits = torch.randn(1, CLASSES + 1)
    truth = torch.tensor([BACKGROUND])
    target = things([])._replace(labelled=torch.tensor([True, False, True]))
    probabilities = logits.softmax(1)[0]
    expected = -math.log(probabilities[0] + probabilities[2])
    assert class_loss(logits, truth, target).item() == pytest.approx(expected, rel=1e-4)


def test_an_unlabelled_class_may_be_seen_and_a_labelled_one_may_not() -> None:
    output = outputs()
    target = things([[2, 2, 9, 9]], [0])._replace(labelled=torch.tensor([True, False, True]))
    terms = YolactLoss(SIZE)(output, [target])
    of_semantic = gradient(terms["semantic"], output.semantic)[0].abs().sum((1, 2))
    assert (of_semantic > 0).tolist() == [True, False, True]
    sure = torch.full((ANCHORS, CLASSES + 1), -20.0)
    sure[:, 2] = 20
    background = torch.full((ANCHORS,), BACKGROUND)
    assert class_loss(sure, background, target).item() == pytest.approx(0, abs=1e-6)
    assert class_loss(sure.roll(1, 1), background, target).item() > 30


def test_a_network_of_the_labelled_classes_alone_learns_the_same() -> None:
    target = scattered(5, seed=1)
    some = target._replace(labelled=torch.ones(CLASSES, dtype=torch.bool))
    loss, first, second = YolactLoss(SIZE), outputs(), outputs()
    for output, seen in ((first, target), (second, some)):
        torch.stack(list(loss(output, [seen]).values())).sum().backward()
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


# Masks


def test_a_mask_is_judged_inside_its_box_and_the_box_counts_as_one() -> None:
    target = things([[1, 2, 5, 4], [8, 0, 16, 16]])
    coefficients, prototypes = torch.randn(3, PROTOTYPES), torch.randn(PROTOTYPES, 16, 16).requires_grad_()
    truth = torch.tensor([1, 0, 0])
    loss = mask_loss(coefficients, prototypes, truth, target)
    expected = 0.0
    for index, which in enumerate(truth.tolist()):
        x0, y0, x1, y1 = ((1, 2, 5, 4), (8, 0, 16, 16))[which]
        logits = torch.einsum("k,khw->hw", coefficients[index], prototypes)[y0:y1, x0:x1]
        expected += F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)).item()
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    alone = mask_loss(coefficients[1:], prototypes, truth[1:], target)
    reached = gradient(alone, prototypes).abs().sum(0) > 0
    assert reached.nonzero().amin(0).tolist() == [2, 1] and reached.nonzero().amax(0).tolist() == [3, 4]


def test_a_box_ends_with_the_last_pixel_that_it_touches() -> None:
    prototypes = torch.randn(PROTOTYPES, 16, 16).requires_grad_()
    loss = mask_loss(torch.randn(1, PROTOTYPES), prototypes, torch.tensor([0]), things([[3.9, 7.2, 5.1, 7.3]]))
    touched = gradient(loss, prototypes).abs().sum(0).nonzero().tolist()
    assert touched == [[7, 3], [7, 4], [7, 5]]


def test_no_more_masks_than_the_most_are_judged_and_they_stand_for_all() -> None:
    count = 3 * MOST_MASKS
    coefficients = torch.full((count, PROTOTYPES), 0.1).requires_grad_()
    prototypes, target = torch.ones(PROTOTYPES, 16, 16), things([[0, 0, 8, 8]])
    truth = torch.zeros(count, dtype=torch.int64)
    loss = mask_loss(coefficients, prototypes, truth, target)
    assert gradient(loss, coefficients).abs().sum(1).count_nonzero() == MOST_MASKS
    one = mask_loss(coefficients[:1], prototypes, truth[:1], target)
    assert loss.item() == pytest.approx(count * one.item(), rel=1e-4)


# Semantic planes


def test_each_class_has_a_plane_of_all_its_things() -> None:
    target = things([[0, 0, 4, 4], [2, 0, 8, 2], [8, 8, 16, 16]], [1, 1, 2])
    planes = torch.zeros(CLASSES, 8, 8)
    planes[1, :2, :2] = planes[1, :1, 1:4] = planes[2, 4:, 4:] = 1
    logits = torch.randn(CLASSES, 8, 8)
    expected = F.binary_cross_entropy_with_logits(logits, planes, reduction="sum") / 64
    assert semantic_loss(logits, target).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_crowd_is_not_judged_in_the_plane_of_its_class_but_where_a_thing_is() -> None:
    target = things([[0, 0, 8, 8], [0, 0, 4, 4]], [1, 1], crowd=(0,))
    logits = torch.randn(CLASSES, 8, 8).requires_grad_()
    judged = gradient(semantic_loss(logits, target), logits) != 0
    expected = torch.ones(CLASSES, 8, 8, dtype=torch.bool)
    expected[1, :4, :4] = False
    expected[1, :2, :2] = True
    assert torch.equal(judged, expected)


# All of it


def test_the_terms_are_weighted_and_divided_as_in_the_papers_code() -> None:
    output = outputs(2)
    targets = [scattered(3, seed=2), things([[0, 0, 8, 8]], [1])]
    loss = YolactLoss(SIZE)
    terms = loss(output, targets)
    truths = [match(loss.corners, target.boxes, target.crowd, loss.levels) for target in targets]
    positives = sum(int((truth >= 0).sum()) for truth in truths)
    classes = sum(class_loss(output.classes[k], truths[k], targets[k]).item() for k in range(2))
    semantic = sum(semantic_loss(output.semantic[k], targets[k]).item() for k in range(2))
    masks = 0.0
    for k, truth in enumerate(truths):
        chosen = truth >= 0
        masks += mask_loss(output.coefficients[k, chosen], output.prototypes[k], truth[chosen], targets[k]).item()
    assert terms["classes"].item() == pytest.approx(classes / positives, rel=1e-4)
    assert terms["masks"].item() == pytest.approx(6.125 * masks / positives, rel=1e-4)
    assert terms["semantic"].item() == pytest.approx(semantic / 2, rel=1e-4)
    assert terms.keys() == WEIGHTS.keys()


def test_offsets_are_judged_by_huber_on_the_positive_anchors_alone() -> None:
    output, target, loss = outputs(), things([[2, 2, 9, 9]]), YolactLoss(SIZE)
    reached = gradient(loss(output, [target])["boxes"], output.boxes)[0]
    positive = match(loss.corners, target.boxes, target.crowd, loss.levels) >= 0
    assert torch.equal(reached.abs().sum(1) > 0, positive)
    # Beyond 1 the slope of Huber's loss is 1: here 1.5, an equal share for each positive anchor.
    assert reached.abs().max().item() == pytest.approx(1.5 / int(positive.sum()), rel=1e-5)


def test_what_minimises_the_loss_is_the_truth() -> None:
    output, loss = outputs(seed=3), YolactLoss(SIZE)
    target = things([[2, 1, 7, 12], [9, 6, 15, 11]], [2, 0])
    target.masks[0, 1:4, 2:4] = 0
    optimiser = torch.optim.Adam(output, lr=0.1)
    for _ in range(400):
        optimiser.zero_grad()
        torch.stack(list(loss(output, [target]).values())).sum().backward()
        optimiser.step()
    scores = output.classes.softmax(-1)[0, :, 1:]
    for index, label in enumerate(target.labels.tolist()):
        best = scores[:, label].argmax()
        box = decode_boxes(output.boxes[0], anchors(SIZE))[best]
        torch.testing.assert_close(box, target.boxes[index], atol=0.01, rtol=0)
        x0, y0, x1, y1 = (target.boxes[index] * 16).round().int().tolist()
        mask = torch.einsum("k,khw->hw", output.coefficients[0, best], output.prototypes[0]) > 0
        assert torch.equal(mask[y0:y1, x0:x1], target.masks[index, y0:y1, x0:x1].bool())


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [0, 1, 200])
def test_it_is_a_number_with_a_gradient_whatever_is_in_the_image(count: int, kind: torch.dtype) -> None:
    leaves = outputs(2)
    target = scattered(count, seed=count)._replace(crowd=torch.rand(count) < 0.2)
    terms = YolactLoss(SIZE)(YolactOutput(*(leaf.to(kind) for leaf in leaves)), [target, things([])])
    torch.stack(list(terms.values())).sum().backward()
    for name, leaf in leaves._asdict().items():
        assert leaf.grad is not None, name
        assert leaf.grad.isfinite().all(), name
    assert all(term.isfinite() for term in terms.values())
    assert terms["classes"].item() > 0


def test_a_box_without_an_area_is_nobodys() -> None:
    target = things([[4, 4, 4, 9], [3, 3, 3, 3]])
    terms = YolactLoss(SIZE)(outputs(), [target])
    assert terms["boxes"].item() == 0
    assert all(term.isfinite() for term in terms.values())
