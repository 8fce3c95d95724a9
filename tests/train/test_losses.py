"""Each loss is what its paper says, leaves unlabelled pixels out, and never becomes NaN by itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from edgeseg.core.classes import IGNORE_ID
from edgeseg.core.errors import UsageError
from edgeseg.train.losses import (
    class_weights,
    dice_loss,
    distillation,
    lovasz_loss,
    near_border,
    pixel_loss,
    segmentation_loss,
)
from edgeseg.train.recipe import Objective

EVEN = torch.ones(3)
UNEVEN = torch.tensor([0.5, 1.0, 3.0])
PLAIN = Objective()
MENU = {
    "cross-entropy": PLAIN,
    "ohem": Objective("ohem", ohem_keep=0.25),
    "focal": Objective("focal"),
    "focal with a small gamma": Objective("focal", focal_gamma=0.5),
    "boundary": Objective(boundary=2.0),
    "dice": Objective(dice=1.0),
    "lovasz": Objective(lovasz=1.0),
    "lovasz of a sample": Objective(lovasz=1.0, lovasz_sample=20),
    "distill": Objective(distill=1.0),
    "all": Objective("ohem", boundary=1.0, dice=0.5, lovasz=1.0, distill=1.0, temperature=4.0),
}
every_objective = pytest.mark.parametrize("objective", MENU.values(), ids=MENU)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small only wait for each other on several cores, and the more so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scene(seed: int, classes: int = 3, size: int = 8, ignored: float = 0.2) -> tuple[Tensor, Tensor]:
    """Returns random logits [2, classes, size, size] and labels [2, size, size], some of them IGNORE_ID."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (2, size, size), generator=draw)
    labels[torch.rand(labels.shape, generator=draw) < ignored] = IGNORE_ID
    return 2 * torch.randn(2, classes, size, size, generator=draw), labels


def judged_pixels(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the judged pixels' probabilities [pixels, classes] and labels [pixels]."""
    keep = labels != IGNORE_ID
    return logits.softmax(1).permute(0, 2, 3, 1)[keep], labels[keep]


def toward(labels: Tensor, amount: float) -> Tensor:
    """Returns logits that favour the label, or class 0 where there is none, by `amount`."""
    favoured = torch.nn.functional.one_hot(labels.masked_fill(labels == IGNORE_ID, 0), 3)
    return amount * favoured.permute(0, 3, 1, 2).float()


# Every objective


def test_an_objective_is_its_pixel_loss_and_so_much_of_each_term() -> None:
    logits, labels = scene(22)
    teacher = scene(23)[0]
    of_all = Objective(dice=0.5, lovasz=2.0, lovasz_sample=50, distill=3.0, temperature=4.0)
    torch.manual_seed(0)
    terms = [
        pixel_loss(logits, labels, UNEVEN),
        0.5 * dice_loss(logits.log_softmax(1), labels),
        2 * lovasz_loss(logits.log_softmax(1), labels, 50),
        3 * distillation(logits, teacher, labels, 4.0),
    ]
    torch.manual_seed(0)
    loss = segmentation_loss(logits, labels, UNEVEN, of_all, teacher)
    assert loss.item() == pytest.approx(sum(term.item() for term in terms), rel=1e-5)


@every_objective
def test_pixels_that_nobody_judges_change_nothing(objective: Objective) -> None:
    logits, labels = scene(1)
    teacher = scene(2)[0]
    torch.manual_seed(0)
    loss = segmentation_loss(logits, labels, UNEVEN, objective, teacher)
    unjudged = (labels == IGNORE_ID).unsqueeze(1).expand_as(logits)
    others = torch.where(unjudged, 9 * torch.randn(logits.shape), logits).requires_grad_()
    torch.manual_seed(0)
    again = segmentation_loss(others, labels, UNEVEN, objective, torch.where(unjudged, 5.0, teacher))
    again.backward()
    assert again.item() == pytest.approx(loss.item(), rel=1e-5)
    assert others.grad is not None
    assert (others.grad[unjudged] == 0).all()


@every_objective
def test_a_batch_without_a_judged_pixel_costs_exactly_nothing(objective: Objective) -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 8, 8), IGNORE_ID), EVEN, objective, torch.randn(1, 3, 4, 4))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@every_objective
@pytest.mark.parametrize("amount", [50.0, -50.0])
def test_extreme_logits_give_finite_loss_and_gradient(objective: Objective, amount: float) -> None:
    labels = scene(3)[1]
    logits = toward(labels, amount).requires_grad_()
    loss = segmentation_loss(logits, labels, EVEN, objective, toward(labels, -amount))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@every_objective
def test_it_falls_as_logits_move_towards_the_label(objective: Objective) -> None:
    labels = scene(4, size=16)[1]
    teacher = toward(labels, 8.0)
    torch.manual_seed(0)
    amounts = (-4.0, -2.0, 0.0, 2.0, 4.0)
    losses = [segmentation_loss(toward(labels, a), labels, EVEN, objective, teacher).item() for a in amounts]
    assert all(before > after for before, after in itertools.pairwise(losses))


@every_objective
def test_half_precision_logits_of_a_stride_are_judged_in_float32_at_the_labels_size(objective: Objective) -> None:
    labels = scene(5, size=16)[1]
    coarse = scene(6, size=4)[0].bfloat16()
    full = torch.nn.functional.interpolate(coarse.float(), size=(16, 16), mode="bilinear", align_corners=False)
    alone = replace(objective, distill=0.0)
    torch.manual_seed(0)
    loss = segmentation_loss(coarse, labels, EVEN, alone)
    torch.manual_seed(0)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(segmentation_loss(full, labels, EVEN, alone).item(), rel=1e-5)


@pytest.mark.parametrize(
    "objective",
    # OHEM keeps all here: its value jumps where the choice of pixels changes.
    [PLAIN, Objective("ohem", ohem_threshold=1e-9, ohem_keep=1.0), Objective("focal", focal_gamma=1.5),
     Objective(boundary=1.0, boundary_radius=1), Objective(dice=1.0), Objective(lovasz=1.0), Objective(distill=1.0)],
    ids=["cross-entropy", "ohem", "focal", "boundary", "dice", "lovasz", "distill"],
)  # fmt: skip
def test_gradients_are_those_of_the_value(objective: Objective) -> None:
    logits, labels = scene(7, size=3)
    teacher = scene(8, size=3)[0].double()

    def loss(x: Tensor) -> Tensor:
        return segmentation_loss(x, labels, UNEVEN.double(), objective, teacher)

    assert gradcheck(loss, (logits.double().requires_grad_(),))


@pytest.mark.parametrize(
    "changes",
    [
        {"pixel": "hinge"},
        {"ohem_keep": 0.0},
        {"ohem_keep": 1.5},
        {"ohem_threshold": 0.0},
        {"dice": -1.0},
        {"lovasz": math.nan},
        {"boundary_radius": 0},
        {"temperature": 0.0},
    ],
)
def test_an_objective_that_can_not_be_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"give"):
        replace(PLAIN, **changes)


# Pixel losses


def test_cross_entropy_is_the_mean_at_the_labels_size() -> None:
    labels = torch.randint(0, 3, (2, 8, 8))
    labels[0] = IGNORE_ID
    assert pixel_loss(torch.zeros(2, 3, 4, 4), labels, EVEN).item() == pytest.approx(np.log(3), rel=1e-5)


def test_cross_entropy_is_weighted_by_class() -> None:
    logits, labels = scene(9)
    expected = torch.nn.functional.cross_entropy(logits, labels, UNEVEN, ignore_index=IGNORE_ID)
    assert pixel_loss(logits, labels, UNEVEN).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("objective", [Objective("ohem", ohem_keep=1.0), Objective("focal", focal_gamma=0.0)])
def test_ohem_that_keeps_all_and_focal_of_gamma_0_are_cross_entropy(objective: Objective) -> None:
    logits, labels = scene(10)
    loss = segmentation_loss(logits, labels, UNEVEN, objective)
    assert loss.item() == pytest.approx(pixel_loss(logits, labels, UNEVEN).item(), rel=1e-5)


def test_focal_is_its_formula() -> None:
    logits, labels = scene(11)
    probabilities, truth = judged_pixels(logits, labels)
    right = probabilities[range(len(truth)), truth]
    expected = (UNEVEN[truth] * (1 - right) ** 2 * -right.log()).sum() / UNEVEN[truth].sum()
    loss = segmentation_loss(logits, labels, UNEVEN, Objective("focal", focal_gamma=2.0))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("keep", [0.01, 0.5, 0.9])
def test_ohem_keeps_pixels_below_the_threshold_and_no_fewer_than_the_share(keep: float) -> None:
    logits, labels = scene(12)
    probabilities, truth = judged_pixels(logits, labels)
    right = probabilities[range(len(truth)), truth].sort().values
    kept = max(int((right < 0.3).sum()), math.ceil(keep * len(right)))
    loss = segmentation_loss(logits, labels, EVEN, Objective("ohem", ohem_threshold=0.3, ohem_keep=keep))
    assert loss.item() == pytest.approx(-right[:kept].log().mean().item(), rel=1e-4)


def test_ohem_gives_easy_pixels_no_gradient() -> None:
    labels = torch.zeros(1, 1, 8, dtype=torch.int64)
    logits = torch.zeros(1, 3, 1, 8)
    logits[:, 0, :, 2:] = 5.0
    logits.requires_grad_()
    segmentation_loss(logits, labels, EVEN, Objective("ohem")).backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum((0, 1, 2)).bool().tolist() == [True, True] + [False] * 6


# Boundaries


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_a_border_is_another_class_within_the_radius(radius: int) -> None:
    labels = scene(13, size=9, ignored=0.0)[1]
    labels = torch.where(labels == 2, 0, labels).repeat_interleave(3, 1)  # so that not every pixel is near a border
    labels[:, 6:20, :6] = 0
    labels[0, 20:] = IGNORE_ID
    expected = torch.zeros_like(labels, dtype=torch.bool)
    for n, y, x in np.ndindex(*labels.shape):
        around = labels[n, max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
        known = around[around != IGNORE_ID]
        expected[n, y, x] = labels[n, y, x] != IGNORE_ID and len(known.unique()) > 1
    assert 0 < expected.sum() < expected.numel()
    assert torch.equal(near_border(labels, radius), expected)


def test_pixels_near_a_border_count_for_more() -> None:
    labels = torch.zeros(1, 4, 12, dtype=torch.int64)
    labels[:, :, 6:] = 1
    logits = torch.zeros(1, 3, 4, 12)
    logits[:, :2, :, 4:8] = -1.0  # wrong within two pixels of the border, undecided elsewhere
    loss = segmentation_loss(logits, labels, EVEN, Objective(boundary=3.0, boundary_radius=2)).item()
    near, far = math.log(2 + math.e), math.log(3)  # -log(1/e / (2/e + 1)), -log(1/3)
    assert loss == pytest.approx((4 * 4 * near + 8 * far) / (4 * 4 + 8), rel=1e-5)


# Dice and Lovasz


def test_dice_is_its_formula_over_the_classes_present() -> None:
    logits, labels = scene(14)
    labels[labels == 1] = 0
    probabilities, truth = judged_pixels(logits, labels)
    expected = 0.0
    for wanted in (0, 2):
        p, g = probabilities[:, wanted].double(), (truth == wanted).double()
        expected += (1 - 2 * (p * g).sum() / (p.square().sum() + g.square().sum())).item() / 2
    assert dice_loss(logits.log_softmax(1), labels).item() == pytest.approx(expected, rel=1e-5)


def jaccard_loss(truth: frozenset[int], wrong: frozenset[int]) -> float:
    """One less the IoU of `truth` and a guess that errs exactly on `wrong`."""
    return len(wrong) / len(truth | wrong) if truth | wrong else 0.0


def lovasz_extension(truth: frozenset[int], errors: list[float]) -> float:
    """The integral over t in [0, 1] of the set function at {errors > t}: Lovasz' own definition, without any order."""
    levels = sorted({0.0, *errors})
    steps = itertools.pairwise(levels)
    return sum(
        (high - low) * jaccard_loss(truth, frozenset(np.flatnonzero(np.array(errors) > low).tolist()))
        for low, high in steps
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([0.0, 0.3]))
def test_lovasz_is_the_extension_of_the_jaccard_loss(seed: int, size: int, ignored: float) -> None:
    logits, labels = scene(seed, size=size, ignored=ignored)
    probabilities, truth = judged_pixels(logits.double(), labels)
    losses = []
    for wanted in truth.unique():
        right = truth == wanted
        errors = torch.where(right, 1 - probabilities[:, wanted], probabilities[:, wanted])
        losses.append(lovasz_extension(frozenset(np.flatnonzero(right.numpy()).tolist()), errors.tolist()))
    expected = float(np.mean(losses)) if losses else 0.0
    assert lovasz_loss(logits.log_softmax(1), labels).item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_lovasz_of_hard_masks_is_one_less_the_mean_iou() -> None:
    truth = torch.tensor([[[0, 0, 0, 1, 1, 2]]])
    guess = torch.tensor([[[0, 0, 1, 1, 2, 2]]])
    loss = lovasz_loss(toward(guess, 50.0).log_softmax(1), truth)
    assert loss.item() == pytest.approx(1 - np.mean([2 / 3, 1 / 3, 1 / 2]), rel=1e-5)


def test_lovasz_of_a_sample_is_near_that_of_all_and_sorts_no_more_than_the_sample() -> None:
    logits, labels = scene(15, size=64)
    logits = logits.log_softmax(1).requires_grad_()
    torch.manual_seed(0)
    sampled = lovasz_loss(logits, labels, 2000)
    sampled.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum(1).count_nonzero() == 2000
    assert sampled.item() == pytest.approx(lovasz_loss(logits, labels).item(), rel=0.03)


def test_lovasz_stays_exact_on_a_large_batch() -> None:
    labels = (torch.arange(400_000).reshape(1, 400, 1000) % 3 == 0).long()
    log_probabilities = torch.full((1, 2, 400, 1000), 0.5).log()
    # All errors are 0.5, and of a constant the extension is that constant: the steps of either class must add to 1.
    assert lovasz_loss(log_probabilities, labels).item() == pytest.approx(0.5, rel=1e-4)


# Distillation


def test_distillation_is_the_divergence_from_the_softened_teacher() -> None:
    student, labels = scene(16)
    teacher = scene(17)[0]
    hot, hotter = (student / 3).softmax(1).double(), (teacher / 3).softmax(1).double()
    divergence = 9 * (hotter * (hotter / hot).log()).sum(1)
    assert distillation(student, teacher, temperature=3.0).item() == pytest.approx(divergence.mean().item(), rel=1e-4)
    judged = divergence[labels != IGNORE_ID].mean().item()
    assert distillation(student, teacher, labels, 3.0).item() == pytest.approx(judged, rel=1e-4)


def test_a_student_that_agrees_has_nothing_to_learn_whatever_the_stride_of_the_teacher() -> None:
    teacher = scene(18, size=16)[0].requires_grad_()
    student = torch.nn.functional.interpolate(teacher.detach(), size=(8, 8), mode="bilinear").requires_grad_()
    loss = distillation(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert teacher.grad is None


def test_distillation_leaves_out_what_is_not_judged_at_the_students_stride() -> None:
    student, teacher = scene(19)[0].requires_grad_(), scene(20)[0]
    labels = torch.zeros(2, 32, 32, dtype=torch.int64)
    labels[:, :, 16:] = IGNORE_ID
    distillation(student, teacher, labels).backward()
    assert student.grad is not None
    assert student.grad.abs().sum((0, 1, 2)).bool().tolist() == [True] * 4 + [False] * 4


def test_an_objective_that_distils_asks_for_a_teacher() -> None:
    logits, labels = scene(21)
    with pytest.raises(ValueError, match="teacher"):
        segmentation_loss(logits, labels, EVEN, Objective(distill=1.0))


# Weights


def test_rare_classes_weigh_more_and_the_mean_pixel_weighs_one() -> None:
    counts = np.array([9000, 900, 100])
    weights = class_weights(counts, 0.5).numpy()
    assert weights[2] / weights[0] == pytest.approx(np.sqrt(90), rel=1e-4)
    assert (weights * counts).sum() / counts.sum() == pytest.approx(1)
    assert class_weights(counts, 0).tolist() == [1, 1, 1]
