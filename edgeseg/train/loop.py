"""The training loop: samples in, checkpoints out, resumable after any epoch, on one process or several.

OUT/model.safetensors   the averaged weights of the last epoch and, as metadata, all that export needs
OUT/best.safetensors    the same of the epoch that measured best on --val
OUT/state.safetensors   what --resume goes on from: weights, averages, heads, optimiser
OUT/log.csv, tensorboard/, curves.png
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

from edgeseg.core.errors import EdgesegError, UsageError
from edgeseg.models import INSTANCE_MODELS
from edgeseg.train import checkpoint, diary
from edgeseg.train.dilated import compute_without_dilation
from edgeseg.train.frozen import backbone_of, freeze_blocks, freeze_norm
from edgeseg.train.instances import InstanceTask
from edgeseg.train.peers import Peers, joined
from edgeseg.train.qat import Rounding
from edgeseg.train.recipe import Recipe
from edgeseg.train.semantic import Semantic
from edgeseg.train.start import terms_with_start

MOST_LEFT_OUT = 0.05
"""Share of an epoch's steps that may be left out unmentioned."""

OBSERVED = 2
"""Batches on which the ranges of --qat are observed."""

_NOT_RECIPE = {"model", "out", "val", "device", "measure_every", "resume"}
"""Fields of a recipe that do not decide the weights, or stand elsewhere in the bundle."""


def train(recipe: Recipe) -> Path:
    """Trains and returns the checkpoint to export: of the best epoch if there is `recipe.val`, else of the last.

    Raises EdgesegError where the loss stops being a number; the last checkpoint is kept.
    """
    with joined(recipe.device) as peers:
        run = _Run(recipe, peers)
        with _progress(peers) as progress:
            steps = run.task.feed.steps
            task = progress.add_task(recipe.model, total=run.epochs * steps, completed=run.epoch * steps, note="")
            while run.epoch < run.epochs:
                begun = time.monotonic()
                loss = run.train_epoch(lambda: progress.advance(task))
                if peers.first:
                    entry = run.close_epoch(loss, begun)
                    progress.update(task, note=_note(entry, run.task.figure))
                    if not progress.console.is_terminal:
                        # A bar is drawn on a terminal alone; a log file is to show that work goes on.
                        left = (run.epochs - run.epoch) * entry.seconds / 60
                        note = _note(entry, run.task.figure)
                        progress.console.print(
                            f"{note}  of {run.epochs} epochs, {entry.seconds:.0f} s, {left:.0f} min left"
                        )
                    if run.left_out > steps * MOST_LEFT_OUT:
                        progress.console.print(
                            f"epoch {run.epoch}: {run.left_out} of {steps} steps left out, their gradient was not "
                            "finite; a lower --lr, or training without --mixed, would mend it"
                        )
        if peers.first:
            diary.draw_curves(recipe.out)
        return run.best_path if run.best_path.exists() else run.path


class Task(Protocol):
    """What is trained for: data, network, loss and measure, of which the loop knows nothing else.

    feed: batches of an epoch. classes, palette (RGB), terms, input_size: of the data, for the bundle. figure: the name
    of what `measure` gives first, a key of `diary.WORDS`.
    """

    figure: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    terms: str
    input_size: tuple[int, int]

    @property
    def feed(self) -> Batches: ...

    def build(self) -> tuple[nn.Module, nn.Module]:
        """Returns what is trained, and of it the network that is deployed."""
        ...

    def loss(self, trainee: nn.Module, batch: Any) -> Tensor:
        """Returns the scalar to minimise. trainee: what `build` gave, maybe wrapped."""
        ...

    def measure(self, network: nn.Module) -> tuple[float, dict[str, float]] | None:
        """Returns the figure, 0..1, and the same by class, or None where there is nothing to measure on."""
        ...


class Batches(Protocol):
    """steps: batches an epoch."""

    @property
    def steps(self) -> int: ...

    def batches(self, epoch: int) -> Iterator[Any]: ...


class _Run:
    """The state of one training run between two epochs."""

    def __init__(self, recipe: Recipe, peers: Peers) -> None:
        self.recipe, self.peers = recipe, peers
        self.path, self.best_path = recipe.out / checkpoint.WEIGHTS, recipe.out / checkpoint.BEST
        if self.path.exists() and not recipe.resume:
            raise UsageError(f"{recipe.out} holds a training run: give --resume, or another --out")
        self.task: Task = (InstanceTask if recipe.model in INSTANCE_MODELS else Semantic)(recipe, peers)
        torch.manual_seed(recipe.seed)
        self._build()
        self.terms = terms_with_start(self.task.terms, recipe.start, recipe.backbone, recipe.teacher)
        recipe.out.mkdir(parents=True, exist_ok=True)
        self.epochs = recipe.epochs or math.ceil(recipe.steps / self.task.feed.steps)
        self.epoch, self.best, self.left_out = 0, 0.0, 0
        if recipe.resume:
            self.epoch, self.best = checkpoint.load_state(recipe.out, self.parts, self.optimiser)

    def _build(self) -> None:
        place = {"device": self.peers.device, "memory_format": torch.channels_last}
        trainee, self.network = self.task.build()
        trainee.to(**place)
        self.averaged = copy.deepcopy(self.network).requires_grad_(False)
        self._freeze()
        if not self.recipe.qat:
            compute_without_dilation(trainee)
        self.parts = {"trainee": trainee, "averaged": self.averaged}
        self.trained = [parameter for parameter in trainee.parameters() if parameter.requires_grad]
        self.trainee = self.peers.shared(trainee)
        backbone = {id(parameter) for parameter in _parameters_of(getattr(self.network, "backbone", None))}
        self.optimiser = _optimiser(self.trained, backbone, self.recipe)
        self.rounding: Rounding | None = None
        if self.recipe.qat:
            self._round()

    def _freeze(self) -> None:
        recipe = self.recipe
        if recipe.frozen_norm:
            freeze_norm(backbone_of(self.network, recipe.model, "--frozen-norm"))
        if recipe.frozen_blocks:
            freeze_blocks(backbone_of(self.network, recipe.model, "--frozen-blocks"), recipe.frozen_blocks)

    def _round(self) -> None:
        """Has the network and its average compute as their INT8 graphs will, with ranges observed on the first batches."""
        rounding = self.rounding = Rounding(self.network).to(self.peers.device)
        self.parts[checkpoint.ROUNDING] = rounding
        if not self.recipe.resume:
            batches = itertools.islice(self.task.feed.batches(0), OBSERVED)
            rounding.observe(self.network, lambda batch: self.task.loss(self.trainee, batch), batches)
            self.peers.agree([rounding.ranges])
        for network in (self.network, self.averaged):
            rounding.apply_to(network)

    def train_epoch(self, stepped: Any) -> float:
        """Goes once through the samples; order and views follow from seed and epoch. Returns the mean loss."""
        torch.manual_seed((self.recipe.seed * 100_003 + self.epoch) * 64 + self.peers.rank)
        self.trainee.train()
        self.left_out, total = 0, 0.0
        steps = self.task.feed.steps
        for step, batch in enumerate(self.task.feed.batches(self.epoch)):
            done = self.epoch * steps + step
            self._set_rate(done / (self.epochs * steps))
            loss = self._step(batch)
            if not math.isfinite(loss):
                raise EdgesegError(
                    f"the loss is {loss} in epoch {self.epoch + 1}, step {step + 1}: try --resume with a lower --lr "
                    f"than {self.recipe.highest_lr:g}; the checkpoint of epoch {self.epoch} is kept in {self.recipe.out}"
                )
            total += loss
            self._average(done)
            stepped()
        self.peers.agree([*self.network.buffers(), *self.averaged.buffers()])
        self.epoch += 1
        return total / steps

    def _set_rate(self, done: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(done, self.recipe) * group["factor"]

    def _step(self, batch: Any) -> float:
        loss = self.task.loss(self.trainee, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.trained, self.recipe.clip)
        # One gradient that is not finite, from whatever kernel, would be the end of the weights; the loss may be sound.
        if torch.isfinite(norm):
            self.optimiser.step()
        else:
            self.left_out += 1
        return float(self.peers.mean(loss.detach()))

    @torch.no_grad()
    def _average(self, done: int) -> None:
        decay = min(self.recipe.ema, (1 + done) / (10 + done))
        current, averages = self.network.state_dict(), self.averaged.state_dict()
        floats = [name for name, mean in averages.items() if mean.is_floating_point()]
        torch._foreach_lerp_([averages[name] for name in floats], [current[name] for name in floats], 1 - decay)  # pyright: ignore[reportPrivateImportUsage]
        for name in averages.keys() - set(floats):
            averages[name].copy_(current[name])

    def close_epoch(self, loss: float, begun: float) -> diary.Entry:
        """Measures if it is time to, saves, and writes the diary. begun: `time.monotonic` at the epoch's start."""
        due = self.epoch % self.recipe.measure_every == 0 or self.epoch == self.epochs
        figure, per_class = (self.task.measure(self.averaged) if due else None) or (math.nan, {})
        self._save(figure)
        rate, seconds = self.optimiser.param_groups[0]["lr"], time.monotonic() - begun
        entry = diary.Entry(self.epoch, loss, figure, rate, seconds)
        diary.write(self.recipe.out, entry, self.task.figure, per_class)
        return entry

    def _save(self, figure: float) -> None:
        task, said = self.task, self.recipe.told()
        ranges = {"int8_ranges": self.rounding.told()} if self.rounding else {}
        recipe = {name: value for name, value in said.items() if name not in _NOT_RECIPE}
        measured = {"data": said["val"], "split": "val", task.figure: figure, "engine": "pytorch"}
        measured["precision"] = "int8" if self.rounding else "fp32"
        about = checkpoint.About(
            model=self.recipe.model,
            classes=task.classes,
            palette=task.palette,
            input_size=task.input_size,
            terms=self.terms,
            training={
                **recipe,
                "epochs": self.epochs,
                "steps": self.epochs * task.feed.steps,
                "epochs_done": self.epoch,
                **ranges,
            },
            metrics=(measured,) if math.isfinite(figure) else (),
        )
        if figure > self.best:
            self.best = figure
            checkpoint.save_weights(self.best_path, self.averaged, about)
        checkpoint.save_weights(self.path, self.averaged, about)
        checkpoint.save_state(self.recipe.out, self.parts, self.optimiser, self.epoch, self.best)


def learning_rate(done: float, recipe: Recipe) -> float:
    """Returns the rate at `done`, the fraction of the run: linear warm-up, then the recipe's schedule down to zero."""
    if done < recipe.warmup:
        return recipe.highest_lr * max(done / recipe.warmup, 0.01)
    left = 1 - (done - recipe.warmup) / (1 - recipe.warmup)
    return recipe.highest_lr * (left**0.9 if recipe.schedule == "poly" else 0.5 * (1 - math.cos(math.pi * left)))


def _optimiser(parameters: list[nn.Parameter], backbone: set[int], recipe: Recipe) -> torch.optim.Optimizer:
    """Weight decay holds for convolution kernels, not for biases and batch norm.

    backbone: ids of the parameters that learn at `recipe.backbone_lr` times the rate; a group carries its multiple as "factor".
    """
    groups: list[dict[str, Any]] = []
    for inside, factor in ((False, 1.0), (True, recipe.backbone_lr)):
        own = [p for p in parameters if (id(p) in backbone) == inside]
        for kernels, decay in ((True, recipe.weight_decay), (False, 0.0)):
            some = [p for p in own if (p.ndim > 1) == kernels]
            if some:
                groups.append({"params": some, "weight_decay": decay, "factor": factor})
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.highest_lr)
    return torch.optim.SGD(groups, lr=recipe.highest_lr, momentum=0.9, nesterov=True)


def _parameters_of(module: nn.Module | None) -> list[nn.Parameter]:
    return [] if module is None else list(module.parameters())


def _progress(peers: Peers) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=not peers.first,
    )


def _note(entry: diary.Entry, figure: str) -> str:
    measured = f"  {diary.WORDS[figure]} {100 * entry.value:.1f}" if math.isfinite(entry.value) else ""
    return f"epoch {entry.epoch}  loss {entry.loss:.3f}{measured}"
