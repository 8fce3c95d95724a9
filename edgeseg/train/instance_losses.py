"""What YOLACT's training minimises: anchors matched to truths, and the four losses of the paper (arXiv:1904.02689)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.models.layers import upsample
from edgeseg.models.yolact import YolactOutput, anchors, anchors_of_levels, encode_boxes

WEIGHTS = {"boxes": 1.5, "classes": 1.0, "masks": 6.125, "semantic": 1.0}
"""The paper's."""
NEAREST = 27
"""Anchors of each level, those in the middle of a truth first, that compete for being its: all shapes of nine cells."""
NEGATIVE = 0.4
"""An anchor that is no truth's, and overlaps each by less (IoU), is background."""
IN_CROWD = 0.7
"""Share of an anchor above which it is a crowd's, where there may be things that nobody outlined."""
NEGATIVES = 3
"""Background anchors judged for each positive one, the hardest first."""
MOST_MASKS = 100
"""Positive anchors of an image whose masks are judged; a random choice stands for the others."""

BACKGROUND, IGNORED = -1, -2


class InstanceTarget(NamedTuple):
    """The n things of one image, all tensors on one device.

    boxes: float32 [n, 4], x0 y0 x1 y1 in 0..1 of the input. labels: int64 [n]. masks: uint8 [n, h, w], 0 or 1, at the
    size of the prototypes. crowd: bool [n], a region that is not judged: neither a thing to be found nor background.
    labelled: bool [classes], the classes that were looked for in this image; None = all. Another class may be there
    unmentioned, so that background means no more than "none of these", and its semantic plane is not judged. A
    network of the labelled classes alone learns the same with it as without.
    """

    boxes: Tensor
    labels: Tensor
    masks: Tensor
    crowd: Tensor
    labelled: Tensor | None = None


class YolactLoss(nn.Module):
    """The losses of a Yolact of one size, in float32; call it outside of autocast.

    `forward` takes outputs and a target an image, and returns the four terms of `WEIGHTS`, scalars, weighted: training
    minimises their sum. As in the paper's code, `boxes`, `classes` and `masks` are divided by the positive anchors of
    the batch, and `semantic` by its images. Finite, with a gradient, where there is no thing at all.
    """

    anchors: Tensor
    corners: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        made = anchors(size)
        self.register_buffer("anchors", made, persistent=False)
        self.levels = anchors_of_levels(size)
        halves = made[:, 2:] / 2
        self.register_buffer("corners", torch.cat([made[:, :2] - halves, made[:, :2] + halves], 1), persistent=False)

    def forward(self, outputs: YolactOutput, targets: Sequence[InstanceTarget]) -> dict[str, Tensor]:
        boxes, classes, masks, semantic = [], [], [], []
        positives = 0
        for output, target in zip(map(YolactOutput._make, zip(*outputs, strict=True)), targets, strict=True):
            output = YolactOutput(*(part.float() for part in output))
            truth = match(self.corners, target.boxes, target.crowd, self.levels)
            positive = (truth >= 0).nonzero().squeeze(1)
            positives += len(positive)
            wanted = encode_boxes(target.boxes[truth[positive]], self.anchors[positive])
            boxes.append(F.smooth_l1_loss(output.boxes[positive], wanted, reduction="sum"))
            classes.append(class_loss(output.classes, truth, target))
            masks.append(mask_loss(output.coefficients[positive], output.prototypes, truth[positive], target))
            semantic.append(semantic_loss(output.semantic, target))
        terms = {"boxes": boxes, "classes": classes, "masks": masks, "semantic": semantic}
        shares = {name: len(semantic) if name == "semantic" else max(positives, 1) for name in terms}
        return {name: WEIGHTS[name] * torch.stack(parts).sum() / shares[name] for name, parts in terms.items()}


@torch.no_grad()
def match(corners: Tensor, boxes: Tensor, crowd: Tensor, levels: Sequence[int]) -> Tensor:
    """Returns int64 [A]: of each anchor the index of its truth, BACKGROUND, or IGNORED.

    A truth gets the anchors that fit it better than most of those around its middle do (`_fitting`), of two truths the one
    that the anchor overlaps more, and in any case one of its own, however little that overlaps it. Other anchors that
    overlap it, and a crowd's (`IN_CROWD`), are ignored; so is what would not be background were a crowd a thing, since it may
    be a single thing that was not worth judging. corners: float32 [A, 4], boxes: float32 [n, 4], x0 y0 x1 y1 both. crowd: bool
    [n]. levels: how many anchors each level has, in order.
    """
    found = torch.full((len(corners),), BACKGROUND, device=corners.device)
    things, crowds = (~crowd).nonzero().squeeze(1), crowd.nonzero().squeeze(1)
    intersections = _intersections(boxes, corners)
    overlaps = intersections / (_areas(boxes)[:, None] + _areas(corners) - intersections)
    if len(crowds):
        within = (intersections[crowds] / _areas(corners) > IN_CROWD) | (overlaps[crowds] >= NEGATIVE)
        found[within.any(0)] = IGNORED
    if len(things):
        overlaps = overlaps[things]
        found[overlaps.max(0).values >= NEGATIVE] = IGNORED
        claims, truth = overlaps.masked_fill(~_fitting(overlaps, corners, boxes[things], levels), -1).max(0)
        found = torch.where(claims >= 0, things[truth], found)
        owners, owned = _own_anchors(overlaps)
        found[owned] = things[owners]
    return found


def _fitting(overlaps: Tensor, corners: Tensor, boxes: Tensor, levels: Sequence[int]) -> Tensor:
    """Returns bool [n, A]: the anchors of each truth by adaptive selection (Zhang et al. 2020, "Bridging the Gap ...", ATSS).

    Of the `NEAREST` anchors a level, those in the truth whose overlap is at least mean and deviation of them all. A fixed
    overlap of 0.5, as in SSD and the paper, left slender people with little more than the one anchor of their own.
    """
    middles = (corners[:, :2] + corners[:, 2:]) / 2
    distances = torch.cdist((boxes[:, :2] + boxes[:, 2:]) / 2, middles)
    near = torch.zeros_like(overlaps, dtype=torch.bool)
    first = 0
    for count in levels:
        nearest = distances[:, first : first + count].topk(min(NEAREST, count), largest=False).indices
        near.scatter_(1, nearest + first, value=True)
        first += count
    competing = near.sum(1, keepdim=True)
    mean = (overlaps * near).sum(1, keepdim=True) / competing
    deviation = (((overlaps - mean) ** 2 * near).sum(1, keepdim=True) / competing).sqrt()
    inside = ((middles > boxes[:, None, :2]) & (middles < boxes[:, None, 2:])).all(-1)
    return near & inside & (overlaps >= mean + deviation)


def class_loss(logits: Tensor, truth: Tensor, target: InstanceTarget) -> Tensor:
    """Returns the sum of the cross-entropies of the positive anchors and of the hardest of the background.

    An image without a positive anchor is judged on as much background as one that has one: it says what no thing is.
    logits: float32 [A, classes + 1]. truth: int64 [A], of `match`.
    """
    log_probabilities = F.log_softmax(logits, 1)
    positive = (truth >= 0).nonzero().squeeze(1)
    of_positives = -log_probabilities[positive, target.labels[truth[positive]] + 1]
    of_background = -log_probabilities[:, 0]
    if target.labelled is not None:
        # No thing of a labelled class is there, and of the others anything may be: those and the background together.
        excluded = F.pad(target.labelled, (1, 0), value=False)
        of_background = -log_probabilities.masked_fill(excluded, -torch.inf).logsumexp(1)
    background = truth == BACKGROUND
    judged = min(NEGATIVES * max(len(positive), 1), int(background.sum()))
    hardest = of_background.detach().masked_fill(~background, -torch.inf).topk(judged).indices
    return of_positives.sum() + of_background[hardest].sum()


def mask_loss(coefficients: Tensor, prototypes: Tensor, truth: Tensor, target: InstanceTarget) -> Tensor:
    """Returns the sum over P positive anchors of their mask's binary cross-entropy, the mean over their truth's box.

    The box ends with the last pixels that it touches. coefficients: float32 [P, K]. prototypes: float32 [K, h, w].
    truth: int64 [P], index of each one's thing in the target.
    """
    all_of_them = len(truth)
    if all_of_them > MOST_MASKS:
        chosen = torch.randperm(all_of_them, device=truth.device)[:MOST_MASKS]
        coefficients, truth = coefficients[chosen], truth[chosen]
    logits = torch.einsum("pk,khw->phw", coefficients, prototypes)
    losses = F.binary_cross_entropy_with_logits(logits, target.masks[truth].float(), reduction="none")
    inside = _inside(target.boxes, logits.shape[1], logits.shape[2])[truth]
    means = (losses * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)
    return means.sum() * (all_of_them / max(len(truth), 1))


def semantic_loss(logits: Tensor, target: InstanceTarget) -> Tensor:
    """Returns the binary cross-entropy of each class against all else, summed over classes, the mean over pixels.

    Not judged: classes that are not labelled, and a crowd's pixels for the class of the crowd. logits: float32
    [classes, h, w].
    """
    height, width = logits.shape[1:]

    def planes(chosen: Tensor) -> Tensor:
        """Returns float32 [classes, h, w]: how much of each pixel the chosen things cover."""
        full = logits.new_zeros(len(logits), *target.masks.shape[1:])
        full.index_add_(0, target.labels[chosen], target.masks[chosen].float())
        return upsample(full.clamp(max=1).unsqueeze(0), (height, width)).squeeze(0)

    things = planes(~target.crowd) > 0.5
    judged = things | (planes(target.crowd) == 0)
    if target.labelled is not None:
        judged = judged & target.labelled[:, None, None]
    losses = F.binary_cross_entropy_with_logits(logits, things.float(), reduction="none")
    return (losses * judged).sum() / (height * width)


def _own_anchors(overlaps: Tensor) -> tuple[Tensor, Tensor]:
    """Returns truths and the anchor of each, int64 both: the highest overlaps first, no anchor twice.

    A truth that overlaps no anchor that is left is not among them. overlaps: [n, A], spoilt.
    """
    owners, owned = [], []
    left = torch.arange(len(overlaps), device=overlaps.device)
    while len(left):
        highest, anchor = overlaps[left].max(1)
        left, anchor = left[highest > 0], anchor[highest > 0]
        # Where truth and anchor are each other's best no later choice can part them: as one by one, in fewer rounds.
        best = overlaps[left[:, None], anchor].argmax(0) if len(left) else left
        mutual = best == torch.arange(len(left), device=left.device)
        owners.append(left[mutual])
        owned.append(anchor[mutual])
        overlaps[:, anchor[mutual]] = 0
        left = left[~mutual]
    return torch.cat(owners), torch.cat(owned)


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _intersections(boxes: Tensor, corners: Tensor) -> Tensor:
    """Returns the areas [n, A] that boxes [n, 4] and corners [A, 4] have in common."""
    width = torch.minimum(boxes[:, None, 2], corners[:, 2]) - torch.maximum(boxes[:, None, 0], corners[:, 0])
    height = torch.minimum(boxes[:, None, 3], corners[:, 3]) - torch.maximum(boxes[:, None, 1], corners[:, 1])
    return width.clamp(min=0) * height.clamp(min=0)


def _inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Returns bool [n, height, width]: the pixels that a box touches."""
    x = torch.arange(width, device=boxes.device)
    y = torch.arange(height, device=boxes.device)
    x0, y0, x1, y1 = (boxes * boxes.new_tensor([width, height, width, height])).T.unsqueeze(-1)
    columns, rows = (x + 1 > x0) & (x < x1), (y + 1 > y0) & (y < y1)
    return rows[:, :, None] & columns[:, None, :]
