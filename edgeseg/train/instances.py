"""Instance segmentation as the loop trains it: its data, YOLACT, its losses, its measure."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from edgeseg.core.errors import UsageError
from edgeseg.core.provenance import split_of
from edgeseg.data.instance_samples import open_instances
from edgeseg.data.instances import InstanceSamples
from edgeseg.models import build_model
from edgeseg.models.yolact import DeployedYolact, Yolact
from edgeseg.train.instance_augment import CopyPaste, Target
from edgeseg.train.instance_feed import Batch, InstanceFeed
from edgeseg.train.instance_losses import InstanceTarget, YolactLoss
from edgeseg.train.normalise import Normalise
from edgeseg.train.peers import Peers
from edgeseg.train.recipe import Recipe, View
from edgeseg.train.start import begin_from, begin_from_backbone
from edgeseg.vision.instances import decode_instances
from edgeseg.vision.precision import LEAST_SCORE, AveragePrecision

SIZE = 416
"""Side of the input where the recipe names none."""
START_IMAGES = 32
"""Views on which the batch norms of weights that come folded are set."""


class InstanceTask:
    """See `edgeseg.train.loop.Task`."""

    figure = "mask_ap"

    def __init__(self, recipe: Recipe, peers: Peers) -> None:
        self._recipe, self._device = recipe, peers.device
        view = _square(recipe.view)
        self.input_size = view.input_size
        self._val = open_instances(recipe.val, "val") if recipe.val else None
        sets = _open_sets(recipe, self._val)
        self.classes, self.palette = sets[0].classes, sets[0].palette
        self.terms = "; ".join(dict.fromkeys(samples.terms for samples in sets))
        share = (peers.rank, peers.count)
        paste = CopyPaste(share=recipe.copy_paste)
        self.feed = InstanceFeed(sets, view, recipe.batch, recipe.seed, share, paste, recipe.mosaic)
        self._normalise = Normalise().to(peers.device)
        self._loss = YolactLoss(self.input_size[0]).to(peers.device)

    def build(self) -> tuple[Yolact, Yolact]:
        """Returns the network as the recipe begins it, twice: all of it is deployed."""
        recipe = self._recipe
        network = build_model(recipe.model, len(self.classes), size=self.input_size[0])
        if recipe.start is not None:
            begin_from(recipe.start, network, recipe.model, self._some_images())
        elif recipe.backbone is not None:
            begin_from_backbone(recipe.backbone, network, recipe.model, self._some_images())
        return network, network

    def loss(self, trainee: nn.Module, batch: Batch) -> Tensor:
        """Returns the scalar to minimise. trainee: what `build` gave, maybe wrapped."""
        images, targets = batch
        seen = self._normalise(torch.from_numpy(images).to(self._device))
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._recipe.mixed):
            outputs = trainee(seen.contiguous(memory_format=torch.channels_last))
        terms = self._loss(outputs, [self._as_tensors(target) for target in targets])
        return torch.stack(list(terms.values())).sum()

    @torch.inference_mode()
    def measure(self, network: nn.Module) -> tuple[float, dict[str, float]] | None:
        """Returns mask AP and the same by class on the recipe's validation images, or None where it names none."""
        if self._val is None:
            return None
        assert isinstance(network, Yolact)
        deployed = DeployedYolact(network.eval()).to(self._device)
        precision = AveragePrecision(self.classes)
        for index in range(len(self._val)):
            _, image, truth = self._val[index]
            stretched = cv2.resize(image, self.input_size, interpolation=cv2.INTER_LINEAR)
            outputs = deployed(self._normalise(torch.from_numpy(stretched)[None].to(self._device)))
            arrays = [np.ascontiguousarray(output[0].float().cpu().numpy()) for output in outputs]
            boxes, scores, coefficients, prototypes = arrays
            height, width = image.shape[:2]
            found = decode_instances(boxes, scores, coefficients, prototypes, height, width, threshold=LEAST_SCORE)
            precision.add(truth, *found)
        figures = precision.figures()
        return figures["mask_ap"] or 0.0, {name: ap or 0.0 for name, ap in figures["per_class"].items()}

    def _as_tensors(self, target: Target) -> InstanceTarget:
        return InstanceTarget(*(torch.from_numpy(np.ascontiguousarray(part)).to(self._device) for part in target))

    def _some_images(self) -> Tensor:
        """Returns views of samples all over the data, uint8 [N, h, w, 3] BGR."""
        chosen = range(0, len(self.feed), max(len(self.feed) // START_IMAGES, 1))
        return torch.stack([torch.from_numpy(self.feed.view(0, index)[0]) for index in chosen])


def _square(view: View) -> View:
    """Returns the view with crop and input of one square. Raises UsageError where another shape was asked for."""
    size = (SIZE, SIZE) if view.input_size == View().input_size else view.input_size
    if size[0] != size[1] or view.crop not in (size, View().crop):
        raise UsageError("this network sees squares: give --view.input-size 416 416, and no other --view.crop")
    return dataclasses.replace(view, input_size=size, crop=size)


def _open_sets(recipe: Recipe, val: InstanceSamples | None) -> list[InstanceSamples]:
    sets: list[InstanceSamples] = []
    for address in recipe.data:
        where, split = split_of(address)
        sets.append(open_instances(where, split or "train"))
    named = list(zip(recipe.data, sets, strict=True)) + ([(recipe.val, val)] if val is not None else [])
    for address, samples in named:
        if samples.classes != sets[0].classes:
            raise UsageError(f"{recipe.data[0]} and {address} have different classes and can't be used together")
    return sets
