"""Semantic segmentation as the loop trains it: its data, its network with heads, its loss, its measure."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from edgeseg.core.errors import UsageError
from edgeseg.core.provenance import split_of
from edgeseg.data.protocol import Samples
from edgeseg.data.samples import open_samples
from edgeseg.models import build_model
from edgeseg.models.layers import SegmentationNetwork
from edgeseg.train.checkpoint import load_weights, read_about
from edgeseg.train.feed import Batch, Feed
from edgeseg.train.losses import AuxiliaryHeads, class_weights, segmentation_loss
from edgeseg.train.measure import judge
from edgeseg.train.normalise import Normalise
from edgeseg.train.peers import Peers
from edgeseg.train.recipe import Objective, Recipe
from edgeseg.train.start import begin_from, begin_from_backbone

START_IMAGES = 32
"""Views on which the batch norms of weights that come folded are set."""


class Trainee(nn.Module):
    """The network with its heads, as one module, so that several processes can share its gradients."""

    def __init__(self, network: SegmentationNetwork, heads: AuxiliaryHeads | None) -> None:
        super().__init__()
        self.network = network
        self.heads = heads

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        if self.heads is None:
            return self.network(image), []
        features = self.network.features(image)
        return self.network.classify(*features), self.heads(*features)


class Semantic:
    """See `edgeseg.train.loop.Task`."""

    figure = "miou"

    def __init__(self, recipe: Recipe, peers: Peers) -> None:
        self._recipe, self._device = recipe, peers.device
        self._val = open_samples(recipe.val, "val") if recipe.val else None
        sets = _open_sets(recipe, self._val)
        self.classes, self.palette = sets[0].classes, sets[0].palette
        self.terms = "; ".join(dict.fromkeys(samples.terms for samples in sets))
        self.input_size = recipe.view.input_size
        share = (peers.rank, peers.count)
        self.feed = Feed(sets, recipe.view, recipe.batch, recipe.seed, share, recipe.repeat)
        self._normalise = Normalise().to(peers.device)
        self._weights = class_weights(self.feed.counts, recipe.class_power).to(peers.device)
        self._teacher = _teacher(recipe.teacher, self.classes, peers.device) if recipe.teacher else None

    def build(self) -> tuple[Trainee, SegmentationNetwork]:
        """Returns the network with its heads, as the recipe begins them, and the network."""
        recipe, classes = self._recipe, len(self.classes)
        network = build_model(recipe.model, classes)
        if recipe.start is not None:
            begin_from(recipe.start, network, recipe.model, self._some_images())
        elif recipe.backbone is not None:
            begin_from_backbone(recipe.backbone, network, recipe.model, self._some_images())
        # Heads begin from nothing, and would pull at a network that is done but for its rounding.
        heads = AuxiliaryHeads(network.feature_channels, classes) if recipe.auxiliary and not recipe.qat else None
        return Trainee(network, heads), network

    def loss(self, trainee: nn.Module, batch: Batch) -> Tensor:
        """Returns the scalar to minimise. trainee: what `build` gave, maybe wrapped."""
        recipe = self._recipe
        images, labels = torch.from_numpy(batch[0]), torch.from_numpy(batch[1]).to(self._device).long()
        seen = self._normalise(images.to(self._device)).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=recipe.mixed):
            logits, guesses = trainee(seen)
            with torch.no_grad():
                answer = self._teacher(seen) if self._teacher is not None else None
        loss = segmentation_loss(logits, labels, self._weights, recipe.objective, answer)
        # The heads only steer, so that a quarter of the labels is enough for them.
        coarse, plain = labels[:, 1::4, 1::4], Objective(pixel=recipe.objective.pixel)
        for guess in guesses:
            loss = loss + recipe.auxiliary * segmentation_loss(guess, coarse, self._weights, plain)
        return loss

    def measure(self, network: nn.Module) -> tuple[float, dict[str, float]] | None:
        """Returns mIoU and IoU by class on the recipe's validation images, or None where it names none."""
        if self._val is None:
            return None
        assert isinstance(network, SegmentationNetwork)
        matrix = judge(network, self._normalise, self._val, self.input_size)
        return matrix.miou(), dict(zip(self.classes, matrix.iou().tolist(), strict=True))

    def _some_images(self) -> Tensor:
        """Returns views of samples all over the data, uint8 [N, h, w, 3] BGR."""
        chosen = range(0, len(self.feed), max(len(self.feed) // START_IMAGES, 1))
        return torch.stack([torch.from_numpy(self.feed.view(0, index)[0]) for index in chosen])


def _open_sets(recipe: Recipe, val: Samples | None) -> list[Samples]:
    sets: list[Samples] = []
    for address in recipe.data:
        where, split = split_of(address)
        sets.append(open_samples(where, split or "train"))
    named = list(zip(recipe.data, sets, strict=True)) + ([(recipe.val, val)] if val is not None else [])
    for address, samples in named:
        if samples.classes != sets[0].classes:
            raise UsageError(f"{recipe.data[0]} and {address} have different classes and can't be used together")
    return sets


def _teacher(path: Path, classes: tuple[str, ...], device: torch.device) -> SegmentationNetwork:
    about = read_about(path)
    if about.classes != classes:
        raise UsageError(f"{path}: the teacher knows {', '.join(about.classes)}; the data {', '.join(classes)}")
    teacher = build_model(about.model, len(classes))
    load_weights(path, teacher)
    place = {"device": device, "memory_format": torch.channels_last}
    return teacher.to(**place).eval().requires_grad_(False)
