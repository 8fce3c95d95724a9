"""What training minimises: a menu of losses, their class weights, and the heads for deep supervision."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgeseg.core.classes import IGNORE_ID
from edgeseg.models.layers import ConvNorm, upsample
from edgeseg.train.recipe import Objective


class AuxiliaryHeads(nn.Module):
    """A small classifier on each intermediate feature, in training only; the deployed weights never hold it."""

    def __init__(self, channels: tuple[int, ...], classes: int, hidden: int = 32) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(ConvNorm(inputs, hidden, 3), nn.Conv2d(hidden, classes, 1)) for inputs in channels if inputs
        )
        self._under = [index for index, inputs in enumerate(channels) if inputs]

    def forward(self, *features: Tensor) -> list[Tensor]:
        """Returns raw logits at each feature's own size; a feature of 0 channels has no head."""
        return [head(features[index]) for head, index in zip(self.heads, self._under, strict=True)]


def segmentation_loss(
    logits: Tensor, labels: Tensor, weights: Tensor, objective: Objective, teacher: Tensor | None = None
) -> Tensor:
    """Returns the scalar that `objective` describes; exactly 0, with a gradient of 0, where no pixel is judged.

    logits: raw, [N, classes, h, w] at any stride, any float type; judged at the labels' size in float32 (float64
    stays). labels: int64 [N, H, W], IGNORE_ID where nothing is judged. weights: float32 [classes], of the pixel loss.
    teacher: raw logits [N, classes, any, any] for `objective.distill`.

    Raises ValueError where the objective distils and no teacher is given.
    """
    log_probabilities = _log_probabilities(logits, (labels.shape[1], labels.shape[2]))
    loss = _pixel_loss(log_probabilities, labels, weights, objective)
    if objective.dice:
        loss = loss + objective.dice * dice_loss(log_probabilities, labels)
    if objective.lovasz:
        loss = loss + objective.lovasz * lovasz_loss(log_probabilities, labels, objective.lovasz_sample)
    if objective.distill:
        if teacher is None:
            raise ValueError("an objective that distils needs the teacher's logits")
        loss = loss + objective.distill * distillation(logits, teacher, labels, objective.temperature)
    return loss


def pixel_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Returns the mean cross-entropy, weighted by class: `segmentation_loss` with nothing added to it."""
    return segmentation_loss(logits, labels, weights, Objective())


def dice_loss(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """One less the soft Dice coefficient over the batch, mean of the classes present (Milletari et al. 2016, V-Net).

    Of a class: 1 - 2 sum(p g) / (sum(p^2) + sum(g^2)), p its probability and g 1 where it is the label.
    log_probabilities: [N, classes, H, W]. labels: int64 [N, H, W].
    """
    judged = labels != IGNORE_ID
    counts = torch.bincount(labels[judged], minlength=log_probabilities.shape[1])
    present = counts > 0
    probabilities = log_probabilities.exp() * judged.unsqueeze(1)
    overlaps = _at_labels(probabilities, labels)[judged]
    overlap = torch.zeros_like(counts, dtype=overlaps.dtype).index_add(0, labels[judged], overlaps)
    # Absent classes keep a divisor that is not zero, so that their gradient is 0 and not NaN.
    total = probabilities.square().sum((0, 2, 3)) + counts.clamp(min=1)
    return ((1 - 2 * overlap / total) * present).sum() / present.sum().clamp(min=1)


def lovasz_loss(log_probabilities: Tensor, labels: Tensor, sample: int = 0) -> Tensor:
    """Lovasz-Softmax over the batch, mean of the classes present (Berman et al. 2018): a surrogate of one less IoU.

    log_probabilities: [N, classes, H, W]. labels: int64 [N, H, W]. sample: judged pixels to draw anew each call, from
    torch's generator, which bounds the cost of sorting; 0 = all.
    """
    chosen = (labels != IGNORE_ID).flatten().nonzero().squeeze(1)
    if 0 < sample < len(chosen):
        chosen = chosen[torch.randperm(len(chosen), device=chosen.device)[:sample]]
    truth = labels.flatten()[chosen]
    present = truth.unique()
    probabilities = log_probabilities.movedim(1, 0).flatten(1).index_select(1, chosen)[present].exp()
    inside = truth == present.unsqueeze(1)
    errors, order = torch.where(inside, 1 - probabilities, probabilities).sort(dim=1, descending=True)
    slopes = _jaccard_slopes(inside.gather(1, order))
    return (errors * slopes).sum() / max(len(present), 1)


def _jaccard_slopes(inside: Tensor) -> Tensor:
    """Returns how much the Jaccard loss grows as each pixel in turn becomes wrong: the gradient of its extension.

    inside: bool [classes, pixels], whether the pixel is of the class. Returns float32 of the same shape.
    """
    missed = inside.cumsum(1)
    intersection = missed[:, -1:] - missed
    union = missed[:, -1:] + (~inside).cumsum(1)
    # Differences of the loss itself would cancel: its steps are near float32's resolution at 100 000 pixels.
    shrinks = 1 / union.float()
    widens = intersection / (union.float() * (union - 1).clamp(min=1))
    return torch.where(inside, shrinks, widens)


def distillation(student: Tensor, teacher: Tensor, labels: Tensor | None = None, temperature: float = 2.0) -> Tensor:
    """Mean KL divergence from the teacher's distribution, softened by `temperature` (Hinton et al. 2015).

    Times the temperature squared, so that its gradient stays comparable to cross-entropy's. student: raw logits
    [N, classes, h, w], where it is computed. teacher: raw logits [N, classes, any, any], resized to that (bilinear); it
    gets no gradient. labels: int64 [N, H, W], whose IGNORE_ID leaves out what is nearest to it; None = every pixel counts.
    """
    size = (student.shape[2], student.shape[3])
    target = _log_probabilities(teacher.detach(), size, temperature)
    divergence = F.kl_div(_log_probabilities(student, size, temperature), target, reduction="none", log_target=True)
    divergence = divergence.sum(1) * temperature**2
    if labels is None:
        return divergence.mean()
    judged = F.interpolate((labels != IGNORE_ID).float().unsqueeze(1), size, mode="nearest-exact").squeeze(1)
    return (divergence * judged).sum() / judged.sum().clamp(min=1)


def near_border(labels: Tensor, radius: int) -> Tensor:
    """Returns bool [N, H, W]: another class lies at most `radius` pixels off, along rows and columns alike.

    labels: int64 [N, H, W]. Where IGNORE_ID begins is no border, since nobody knows what is there.
    """
    judged = labels != IGNORE_ID
    unknown = torch.full_like(labels, -IGNORE_ID)
    highest = _highest_within(torch.where(judged, labels, unknown), radius)
    lowest = -_highest_within(torch.where(judged, -labels, unknown), radius)
    return judged & (highest != lowest)


def class_weights(counts: NDArray[np.int64], power: float) -> Tensor:
    """Returns float32 [classes]: (mean frequency / frequency) ** power, scaled to a pixel-weighted mean of 1.

    counts: labelled pixels of each class. power: 0 = all alike, 1 = every class weighs the same in sum. Powers above
    0.3 make rare classes spread beyond their outlines.
    """
    frequency = np.maximum(counts, 1) / max(int(counts.sum()), 1)
    weights = frequency**-power
    return torch.from_numpy((weights / (weights * frequency).sum()).astype(np.float32))


def _pixel_loss(log_probabilities: Tensor, labels: Tensor, weights: Tensor, objective: Objective) -> Tensor:
    """Weighted mean of the pixels' losses. Focal: Lin et al. 2017."""
    losses = -_at_labels(log_probabilities, labels)
    judged = labels != IGNORE_ID
    counted = judged
    if objective.pixel == "ohem":
        counted = _hardest(losses.detach(), judged, objective.ohem_threshold, objective.ohem_keep)
    elif objective.pixel == "focal":
        # A power below 1 has an endless slope at 0, where a saturated logit leads.
        losses = losses * (-torch.expm1(-losses)).clamp(min=1e-6) ** objective.focal_gamma
    worth = weights[labels.masked_fill(~judged, 0)] * counted
    if objective.boundary:
        worth = worth * (1 + objective.boundary * near_border(labels, objective.boundary_radius))
    return (losses * worth).sum() / worth.sum().clamp(min=torch.finfo(worth.dtype).tiny)


def _hardest(losses: Tensor, judged: Tensor, threshold: float, keep: float) -> Tensor:
    """Returns bool [N, H, W]: online hard examples (Shrivastava et al. 2016), chosen over the batch as BiSeNet does.

    losses: cross-entropy of each pixel. threshold, keep: as in `Objective`.
    """
    hard = judged & (losses > -math.log(threshold))
    candidates = losses[judged]
    least = math.ceil(keep * len(candidates))
    if int(hard.sum()) >= least:
        return hard
    return judged & (losses >= candidates.kthvalue(len(candidates) - least + 1).values)


def _log_probabilities(logits: Tensor, size: tuple[int, int], temperature: float = 1.0) -> Tensor:
    """Returns log softmax of the logits at `size`, float32 (float64 stays)."""
    # Small as they are, logits are cheap to lay out as planes; at full size every later step is faster on planes.
    planes = logits.to(torch.promote_types(logits.dtype, torch.float32)).contiguous()
    if planes.shape[2:] != size:
        planes = upsample(planes, size)
    return F.log_softmax(planes / temperature if temperature != 1 else planes, dim=1)


def _at_labels(values: Tensor, labels: Tensor) -> Tensor:
    """Returns [N, H, W]: of each pixel, the value [N, classes, H, W] of its label; any value where it is not judged."""
    return values.gather(1, labels.masked_fill(labels == IGNORE_ID, 0).unsqueeze(1)).squeeze(1)


def _highest_within(values: Tensor, radius: int) -> Tensor:
    """Returns the maximum of int64 [N, H, W] over squares of 2 radius + 1 pixels, as float32."""
    size = 2 * radius + 1
    rows = F.max_pool2d(values.float().unsqueeze(1), (1, size), 1, (0, radius))
    return F.max_pool2d(rows, (size, 1), 1, (radius, 0)).squeeze(1)
