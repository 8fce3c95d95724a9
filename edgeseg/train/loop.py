"""The training loop: samples in, checkpoints out, resumable after any epoch, on one process or several.

OUT/model.safetensors   the averaged weights of the last epoch and, as metadata, all that export needs
OUT/best.safetensors    the same of the epoch that measured best on --val
OUT/state.safetensors   what --resume goes on from: weights, averages, heads, optimiser
OUT/log.csv, tensorboard/, curves.png
"""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.protocol import Samples
from edgeseg.data.samples import open_samples
from edgeseg.models import build_model
from edgeseg.models.layers import SegmentationNetwork
from edgeseg.models.mobilenet import MobileNetV2, load_imagenet
from edgeseg.train import checkpoint, diary
from edgeseg.train.feed import Feed
from edgeseg.train.losses import AuxiliaryHeads, class_weights, segmentation_loss
from edgeseg.train.measure import judge
from edgeseg.train.normalise import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, Normalise
from edgeseg.train.peers import Peers, joined
from edgeseg.train.recipe import Objective, Recipe
from edgeseg.vision.metrics import ConfusionMatrix

MOST_LEFT_OUT = 0.05
"""Share of an epoch's steps that may be left out unmentioned."""
BACKBONE_IMAGES = 32
"""Views on which a pretrained backbone's batch norms are set."""

_NOT_RECIPE = {"model", "out", "val", "device", "measure_every", "resume"}
"""Fields of a recipe that do not decide the weights, or stand elsewhere in the bundle."""


def train(recipe: Recipe) -> Path:
    """Trains and returns the checkpoint to export: of the best epoch if there is `recipe.val`, else of the last.

    Raises EdgesegError where the loss stops being a number; the last checkpoint is kept.
    """
    with joined(recipe.device) as peers:
        run = _Run(recipe, peers)
        with _progress(peers) as progress:
            steps = run.feed.steps
            task = progress.add_task(recipe.model, total=recipe.epochs * steps, completed=run.epoch * steps, note="")
            while run.epoch < recipe.epochs:
                begun = time.monotonic()
                loss = run.train_epoch(lambda: progress.advance(task))
                if peers.first:
                    entry = run.close_epoch(loss, begun)
                    progress.update(task, note=_note(entry))
                    if run.left_out > steps * MOST_LEFT_OUT:
                        progress.console.print(
                            f"epoch {run.epoch}: {run.left_out} of {steps} steps left out, their gradient was not "
                            "finite; a lower --lr, or training without --mixed, would mend it"
                        )
        if peers.first:
            diary.draw_curves(recipe.out)
        return run.best_path if run.best_path.exists() else run.path


class _Trainee(nn.Module):
    """The network with its heads, as one module, so that several processes can share its gradients."""

    def __init__(self, network: SegmentationNetwork, heads: AuxiliaryHeads | None) -> None:
        super().__init__()
        self.network = network
        self.heads = heads

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.network.features(image)
        return self.network.classify(*features), self.heads(*features) if self.heads is not None else []


class _Run:
    """The state of one training run between two epochs."""

    def __init__(self, recipe: Recipe, peers: Peers) -> None:
        self.recipe, self.peers = recipe, peers
        self.path, self.best_path = recipe.out / checkpoint.WEIGHTS, recipe.out / checkpoint.BEST
        if self.path.exists() and not recipe.resume:
            raise UsageError(f"{recipe.out} holds a training run: give --resume, or another --out")
        self.val = open_samples(recipe.val, "val") if recipe.val else None
        sets = _open_sets(recipe, self.val)
        self.classes, self.palette = sets[0].classes, sets[0].palette
        self.terms = "; ".join(dict.fromkeys(samples.terms for samples in sets))
        self.feed = Feed(sets, recipe.view, recipe.batch, recipe.seed, (peers.rank, peers.count))
        self.normalise = Normalise().to(peers.device)
        torch.manual_seed(recipe.seed)
        self._build()
        recipe.out.mkdir(parents=True, exist_ok=True)
        self.epoch, self.best, self.left_out = 0, 0.0, 0
        if recipe.resume:
            self.epoch, self.best = checkpoint.load_state(recipe.out, self.parts, self.optimiser)

    def _build(self) -> None:
        recipe, device = self.recipe, self.peers.device
        network = build_model(recipe.model, len(self.classes))
        if recipe.start is not None:
            checkpoint.load_what_fits(recipe.start, network)
        elif recipe.backbone is not None:
            self._load_backbone(network, recipe.backbone)
        averaged = build_model(recipe.model, len(self.classes)).requires_grad_(False)
        averaged.load_state_dict(network.state_dict())
        heads = AuxiliaryHeads(network.feature_channels, len(self.classes)) if recipe.auxiliary else None
        place = {"device": device, "memory_format": torch.channels_last}
        trainee = _Trainee(network, heads).to(**place)
        self.averaged = averaged.to(**place)
        self.network = trainee.network
        self.parts = {"trainee": trainee, "averaged": self.averaged}
        self.trained = list(trainee.parameters())
        self.trainee = self.peers.shared(trainee)
        self.teacher = _teacher(recipe.teacher, self.classes, device) if recipe.teacher else None
        self.weights = class_weights(self.feed.counts, recipe.class_power).to(device)
        self.optimiser = _optimiser(self.trained, recipe)

    def _load_backbone(self, network: SegmentationNetwork, path: Path) -> None:
        backbone = getattr(network, "backbone", None)
        if not isinstance(backbone, MobileNetV2):
            raise UsageError(f"{self.recipe.model} has no MobileNetV2 in it: leave --backbone out")
        chosen = range(0, len(self.feed), max(len(self.feed) // BACKBONE_IMAGES, 1))
        images = torch.stack([torch.from_numpy(self.feed.view(0, index)[0]) for index in chosen])
        mean, std = 255 * torch.tensor(IMAGENET_MEAN_RGB), 255 * torch.tensor(IMAGENET_STD_RGB)
        load_imagenet(backbone, path, Normalise()(images), mean, std)

    def train_epoch(self, stepped: Any) -> float:
        """Goes once through the samples; order and views follow from seed and epoch. Returns the mean loss."""
        torch.manual_seed((self.recipe.seed * 100_003 + self.epoch) * 64 + self.peers.rank)
        self.trainee.train()
        self.left_out, total = 0, 0.0
        for step, (images, labels) in enumerate(self.feed.batches(self.epoch)):
            done = self.epoch * self.feed.steps + step
            self._set_rate(done / (self.recipe.epochs * self.feed.steps))
            device = self.peers.device
            loss = self._step(torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device).long())
            if not math.isfinite(loss):
                raise EdgesegError(
                    f"the loss is {loss} in epoch {self.epoch + 1}, step {step + 1}: try --resume with a lower --lr "
                    f"than {self.recipe.lr:g}; the checkpoint of epoch {self.epoch} is kept in {self.recipe.out}"
                )
            total += loss
            self._average(done)
            stepped()
        self.peers.agree([*self.network.buffers(), *self.averaged.buffers()])
        self.epoch += 1
        return total / self.feed.steps

    def _set_rate(self, done: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(done, self.recipe)

    def _step(self, images: Tensor, labels: Tensor) -> float:
        loss = self._loss(images, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.trained, self.recipe.clip)
        # In bfloat16 a gradient overflows now and then though the loss is sound: without this step the weights are too.
        if torch.isfinite(norm):
            self.optimiser.step()
        else:
            self.left_out += 1
        return float(self.peers.mean(loss.detach()))

    def _loss(self, images: Tensor, labels: Tensor) -> Tensor:
        recipe, seen = self.recipe, self.normalise(images).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.peers.device.type, torch.bfloat16, enabled=recipe.mixed):
            logits, guesses = self.trainee(seen)
            with torch.no_grad():
                answer = self.teacher(seen) if self.teacher is not None else None
        loss = segmentation_loss(logits, labels, self.weights, recipe.objective, answer)
        # The heads only steer, so that a quarter of the labels is enough for them.
        coarse, plain = labels[:, 1::4, 1::4], Objective(pixel=recipe.objective.pixel)
        for guess in guesses:
            loss = loss + recipe.auxiliary * segmentation_loss(guess, coarse, self.weights, plain)
        return loss

    @torch.no_grad()
    def _average(self, done: int) -> None:
        decay = min(self.recipe.ema, (1 + done) / (10 + done))
        current = self.network.state_dict()
        for name, mean in self.averaged.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - decay)
            else:
                mean.copy_(current[name])

    def close_epoch(self, loss: float, begun: float) -> diary.Entry:
        """Measures if it is time to, saves, and writes the diary. begun: `time.monotonic` at the epoch's start."""
        due = self.epoch % self.recipe.measure_every == 0 or self.epoch == self.recipe.epochs
        matrix = self._measure(self.val) if due and self.val is not None else None
        miou = matrix.miou() if matrix is not None else math.nan
        self._save(miou)
        rate, seconds = self.optimiser.param_groups[0]["lr"], time.monotonic() - begun
        entry = diary.Entry(self.epoch, loss, miou, rate, seconds)
        per_class = dict(zip(self.classes, matrix.iou().tolist(), strict=True)) if matrix is not None else {}
        diary.write(self.recipe.out, entry, per_class)
        return entry

    def _measure(self, samples: Samples) -> ConfusionMatrix:
        return judge(self.averaged, self.normalise, samples, self.recipe.view.input_size)

    def _save(self, miou: float) -> None:
        recipe = {name: value for name, value in dataclasses.asdict(self.recipe).items() if name not in _NOT_RECIPE}
        measured = {"data": self.recipe.val, "split": "val", "miou": miou, "engine": "pytorch", "precision": "fp32"}
        about = checkpoint.About(
            model=self.recipe.model,
            classes=self.classes,
            palette=self.palette,
            input_size=self.recipe.view.input_size,
            terms=self.terms,
            training={**recipe, "epochs_done": self.epoch},
            metrics=(measured,) if math.isfinite(miou) else (),
        )
        if miou > self.best:
            self.best = miou
            checkpoint.save_weights(self.best_path, self.averaged, about)
        checkpoint.save_weights(self.path, self.averaged, about)
        checkpoint.save_state(self.recipe.out, self.parts, self.optimiser, self.epoch, self.best)


def learning_rate(done: float, recipe: Recipe) -> float:
    """Returns the rate at `done`, the fraction of the run: linear warm-up, then the recipe's schedule down to zero."""
    if done < recipe.warmup:
        return recipe.lr * max(done / recipe.warmup, 0.01)
    left = 1 - (done - recipe.warmup) / (1 - recipe.warmup)
    return recipe.lr * (left**0.9 if recipe.schedule == "poly" else 0.5 * (1 - math.cos(math.pi * left)))


def _open_sets(recipe: Recipe, val: Samples | None) -> list[Samples]:
    sets: list[Samples] = []
    for address in recipe.data:
        where, _, split = address.partition("@")
        sets.append(open_samples(where, split or "train"))
    named = list(zip(recipe.data, sets, strict=True)) + ([(recipe.val, val)] if val is not None else [])
    for address, samples in named:
        if samples.classes != sets[0].classes:
            raise UsageError(f"{recipe.data[0]} and {address} have different classes and can't be used together")
    return sets


def _teacher(path: Path, classes: tuple[str, ...], device: torch.device) -> SegmentationNetwork:
    about = checkpoint.read_about(path)
    if about.classes != classes:
        raise UsageError(f"{path}: the teacher knows {', '.join(about.classes)}; the data {', '.join(classes)}")
    teacher = build_model(about.model, len(classes))
    checkpoint.load_weights(path, teacher)
    place = {"device": device, "memory_format": torch.channels_last}
    return teacher.to(**place).eval().requires_grad_(False)


def _optimiser(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """Weight decay holds for convolution kernels, not for biases and batch norm."""
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr)
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)


def _progress(peers: Peers) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        disable=not peers.first,
    )


def _note(entry: diary.Entry) -> str:
    measured = f"  mIoU {100 * entry.miou:.1f}" if math.isfinite(entry.miou) else ""
    return f"epoch {entry.epoch}  loss {entry.loss:.3f}{measured}"
