"""The training loop: samples in, checkpoints out, resumable after any epoch.

OUT/model.safetensors   the averaged weights and, as metadata, all that export needs
OUT/state.safetensors   what --resume goes on from: weights, averages, heads, optimiser
OUT/log.csv             one line an epoch
"""

from __future__ import annotations

import csv
import dataclasses
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.data.classes import IGNORE_ID
from edgeseg.data.samples import open_samples
from edgeseg.models import build_model
from edgeseg.train import checkpoint
from edgeseg.train.augment import View, augment
from edgeseg.train.losses import AuxiliaryHeads, class_weights, pixel_loss
from edgeseg.train.measure import judge
from edgeseg.train.normalise import Normalise

Pixels = NDArray[np.uint8]
MOST_LEFT_OUT = 0.01
"""Share of an epoch's steps that may be left out unmentioned."""


@dataclass(frozen=True)
class Recipe:
    """All that decides a training run.

    model: a key of `edgeseg.models.MODELS`. data: addresses of `open_samples`, mixed. val: one to measure on, or "".
    lr: at the top of a cosine with `warmup` (fraction of the run); SGD, Nesterov momentum 0.9.
    ema: decay of the averaged weights per step. auxiliary: weight of the loss of each intermediate feature's head.
    class_power: see `class_weights`. clip: largest norm of the gradient; a step where it is not finite is left out.
    seed: decides order, views and first weights. mixed: compute in bfloat16 where PyTorch deems it safe.
    measure_every: epochs between two measurements on `val`. start: a checkpoint whose weights to begin from.
    resume: go on from the last epoch in `out`.
    """

    model: str
    data: tuple[str, ...]
    out: Path
    epochs: int
    val: str = ""
    batch: int = 8
    lr: float = 0.05
    weight_decay: float = 1e-4
    warmup: float = 0.05
    ema: float = 0.999
    auxiliary: float = 0.4
    class_power: float = 0.15
    clip: float = 5.0
    view: View = field(default_factory=View)
    seed: int = 0
    device: str = "auto"
    mixed: bool = False
    measure_every: int = 10
    start: Path | None = None
    resume: bool = False


_NOT_RECIPE = {"model", "out", "val", "device", "measure_every", "resume"}
"""Fields of a recipe that do not decide the weights, or stand elsewhere in the bundle."""


def train(recipe: Recipe) -> Path:
    """Trains and returns the checkpoint of the averaged weights after the last epoch.

    Raises EdgesegError where the loss stops being a number; the last checkpoint is kept.
    """
    run = _Run(recipe)
    with _progress() as progress:
        task = progress.add_task(recipe.model, total=recipe.epochs, completed=run.epoch, note="")
        while run.epoch < recipe.epochs:
            begun = time.monotonic()
            loss = run.train_epoch()
            miou = run.measure() if _is_due(run.epoch, recipe) else math.nan
            run.save(miou)
            seconds = time.monotonic() - begun
            _log(recipe.out / "log.csv", run.epoch, loss, miou, seconds)
            if run.left_out > run.steps * MOST_LEFT_OUT:
                progress.console.print(
                    f"epoch {run.epoch}: {run.left_out} of {run.steps} steps left out, their gradient was not finite; "
                    "a lower --lr, or training without --mixed, would mend it"
                )
            progress.update(task, completed=run.epoch, note=f"loss {loss:.3f}  mIoU {miou:.3f}  {seconds:.0f} s")
    return run.path


class _Run:
    """The state of one training run between two epochs."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.path = recipe.out / checkpoint.WEIGHTS
        if self.path.exists() and not recipe.resume:
            raise UsageError(f"{recipe.out} holds a training run: give --resume, or another --out")
        self.device = torch.device(_device(recipe.device))
        sets = [open_samples(address, "train") for address in recipe.data]
        self.classes = sets[0].classes
        if any(samples.classes != self.classes for samples in sets):
            raise UsageError(f"{', '.join(recipe.data)} have different classes and can't be mixed")
        self.palette = sets[0].palette
        self.terms = "; ".join(dict.fromkeys(samples.terms for samples in sets))
        self.samples = [(s[i][1], s[i][2]) for s in sets for i in range(len(s))]
        self.val = open_samples(recipe.val, "val") if recipe.val else None
        torch.manual_seed(recipe.seed)
        self._build()
        recipe.out.mkdir(parents=True, exist_ok=True)
        self.epoch = self.left_out = 0
        if recipe.resume:
            self.epoch = checkpoint.load_state(recipe.out, self.parts, self.optimiser)

    def _build(self) -> None:
        recipe = self.recipe
        network = build_model(recipe.model, len(self.classes))
        if recipe.start is not None:
            checkpoint.load_weights(recipe.start, network)
        averaged = build_model(recipe.model, len(self.classes)).requires_grad_(False)
        averaged.load_state_dict(network.state_dict())
        heads = AuxiliaryHeads(network.feature_channels, len(self.classes))
        place = {"device": self.device, "memory_format": torch.channels_last}
        self.network, self.heads, self.averaged = network.to(**place), heads.to(**place), averaged.to(**place)
        self.trained = [*self.network.parameters(), *self.heads.parameters()]
        self.parts = {"network": self.network, "heads": self.heads, "averaged": self.averaged}
        self.normalise = Normalise().to(self.device)
        counts = _class_counts((labels for _, labels in self.samples), len(self.classes))
        self.weights = class_weights(counts, recipe.class_power).to(self.device)
        self.optimiser = torch.optim.SGD(
            _groups(self.trained, recipe.weight_decay), lr=recipe.lr, momentum=0.9, nesterov=True
        )
        self.steps = max(len(self.samples) // recipe.batch, 1)

    def train_epoch(self) -> float:
        """Goes once through the samples; order and views follow from seed and epoch. Returns the mean loss."""
        torch.manual_seed(self.recipe.seed * 100_003 + self.epoch)
        self.network.train()
        self.heads.train()
        self.left_out = 0
        total = 0.0
        for step, (images, labels) in enumerate(self._batches()):
            done = self.epoch * self.steps + step
            self._set_rate(done / (self.recipe.epochs * self.steps))
            loss = self._step(torch.from_numpy(images).to(self.device), torch.from_numpy(labels).to(self.device))
            if not math.isfinite(loss):
                raise EdgesegError(
                    f"the loss is {loss} in epoch {self.epoch + 1}, step {step + 1}: try --resume with a lower --lr "
                    f"than {self.recipe.lr:g}; the checkpoint of epoch {self.epoch} is kept in {self.recipe.out}"
                )
            total += loss
            self._average(done)
        self.epoch += 1
        return total / self.steps

    def _set_rate(self, done: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = _learning_rate(done, self.recipe)

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        target = labels.long()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.mixed):
            features = self.network.features(self.normalise(images).contiguous(memory_format=torch.channels_last))
            logits = self.network.classify(*features)
            guesses = self.heads(*features) if self.recipe.auxiliary else []
        loss = pixel_loss(logits, target, self.weights)
        for guess in guesses:
            # The heads only steer, so that a quarter of the labels is enough for them.
            loss = loss + self.recipe.auxiliary * pixel_loss(guess, target[:, 1::4, 1::4], self.weights)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.recipe.clip)
        # In bfloat16 a gradient overflows now and then though the loss is sound: without this step the weights are too.
        if torch.isfinite(norm):
            self.optimiser.step()
        else:
            self.left_out += 1
        return loss.item()

    @torch.no_grad()
    def _average(self, done: int) -> None:
        decay = min(self.recipe.ema, (1 + done) / (10 + done))
        current = self.network.state_dict()
        for name, mean in self.averaged.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - decay)
            else:
                mean.copy_(current[name])

    def _batches(self) -> Iterator[tuple[Pixels, Pixels]]:
        order = np.random.default_rng((self.recipe.seed, self.epoch)).permutation(len(self.samples))
        size = min(self.recipe.batch, len(order))
        with ThreadPoolExecutor(1) as ahead:
            pending = ahead.submit(self._batch, order[:size])
            for step in range(1, self.steps + 1):
                ready = pending.result()
                if step < self.steps:
                    pending = ahead.submit(self._batch, order[step * size : (step + 1) * size])
                yield ready

    def _batch(self, indices: NDArray[np.int64]) -> tuple[Pixels, Pixels]:
        views: list[tuple[Pixels, Pixels]] = []
        for index in indices:
            rng = np.random.default_rng((self.recipe.seed, self.epoch, int(index)))
            image, labels = self.samples[index]
            views.append(augment(image, labels, self.recipe.view, rng))
        return np.stack([image for image, _ in views]), np.stack([labels for _, labels in views])

    def measure(self) -> float:
        """Returns the averaged weights' mIoU on the validation samples."""
        assert self.val is not None
        return judge(self.averaged, self.normalise, self.val, self.recipe.view.input_size).miou()

    def save(self, miou: float) -> None:
        """Writes both files, each whole or not at all."""
        checkpoint.save_state(self.recipe.out, self.parts, self.optimiser, self.epoch)
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
        checkpoint.save_weights(self.path, self.averaged, about)


def _learning_rate(done: float, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine to zero. done: fraction of the run."""
    if done < recipe.warmup:
        return recipe.lr * max(done / recipe.warmup, 0.01)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup)))


def _groups(parameters: list[torch.nn.Parameter], decay: float) -> list[dict[str, Any]]:
    """Weight decay holds for convolution kernels, not for biases and batch norm."""
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _class_counts(labels: Iterator[Pixels], classes: int) -> NDArray[np.int64]:
    total = np.zeros(IGNORE_ID + 1, np.int64)
    for image in labels:
        total += np.bincount(image.ravel(), minlength=IGNORE_ID + 1)
    return total[:classes]


def _is_due(epoch: int, recipe: Recipe) -> bool:
    return bool(recipe.val) and (epoch % recipe.measure_every == 0 or epoch == recipe.epochs)


def _device(name: str) -> str:
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _progress() -> Progress:
    note = TextColumn("{task.fields[note]}")
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note)


def _log(path: Path, epoch: int, loss: float, miou: float, seconds: float) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["epoch", "loss", "val_miou", "seconds"])
        writer.writerow([epoch, f"{loss:.5f}", f"{miou:.5f}", f"{seconds:.1f}"])
