"""All that decides a training run, as plain values: no torch here, so that the command line can show it at once."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from edgeseg.core.errors import UsageError
from edgeseg.core.provenance import unplaced
from edgeseg.models import INSTANCE_MODELS

SIDE_MULTIPLE = 32
"""Every semantic network halves the image five times, and wants whole pixels."""


@dataclass(frozen=True)
class View:
    """How an image is looked at in training."""

    input_size: tuple[int, int] = (576, 384)
    """Width and height that the deployed network stretches every image to; scale 1 means this size. For instances, which
    want a square, 416 416 unless another is given."""

    crop: tuple[int, int] = (576, 384)
    """Width and height that a training step sees; for instances the input size."""

    label_stride: int = 2
    """Image pixels a label of the loss, along each side."""

    scale: tuple[float, float] = (0.5, 2.0)
    """Range of the random zoom."""

    aspect: float = 1.15
    """The largest random stretch of one side against the other."""

    colour: float = 0.25
    """Strength of the random change of brightness, contrast, saturation and tint, 0 = none."""

    blur: float = 0.0
    """Share of the views that are blurred, by a Gaussian of at most 1.5 pixels."""

    balance: float = 0.0
    """Share of the views that are placed on a pixel of a class drawn from those in the image, each as likely."""


@dataclass(frozen=True)
class Objective:
    """One pixel loss, and how much each further term adds to it (0: the term is not computed).

    Raises UsageError for a value that can't be.
    """

    pixel: Literal["cross-entropy", "ohem", "focal"] = "cross-entropy"
    """Cross-entropy; of the hard pixels alone; or with easy pixels counting less."""

    ohem_threshold: float = 0.7
    """A pixel is hard if its class has less than this probability."""

    ohem_keep: float = 1 / 16
    """The smallest share of the judged pixels that is kept, the hardest ones, (0, 1]."""

    focal_gamma: float = 2.0
    """0 = plain cross-entropy."""

    boundary: float = 0.0
    """The pixel loss counts 1 + boundary times near another class."""

    boundary_radius: int = 2
    """Near: this many labels."""

    dice: float = 0.0
    """Weight of the soft Dice loss."""

    lovasz: float = 0.0
    """Weight of Lovasz-Softmax."""

    lovasz_sample: int = 32_768
    """Pixels a batch that Lovasz-Softmax sorts, 0 = all."""

    distill: float = 0.0
    """Weight of the divergence from the teacher's answer."""

    temperature: float = 2.0
    """How much that answer is softened."""

    def __post_init__(self) -> None:
        if self.pixel not in ("cross-entropy", "ohem", "focal"):
            raise UsageError(f"no pixel loss {self.pixel!r}: give cross-entropy, ohem or focal")
        for name in ("focal_gamma", "boundary", "dice", "lovasz", "lovasz_sample", "distill"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} of the loss is {getattr(self, name)}: give 0 or more")
        for name in ("ohem_threshold", "ohem_keep"):
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"{name} of the loss is {getattr(self, name)}: give more than 0 and at most 1")
        if self.boundary_radius < 1:
            raise UsageError(f"boundary_radius of the loss is {self.boundary_radius}: give 1 or more")
        if not 0 < self.temperature < math.inf:
            raise UsageError(f"temperature of the loss is {self.temperature}: give more than 0")


@dataclass(frozen=True)
class Recipe:
    """A training run. The defaults are those that the shipped models were trained with, but for what their bundles say."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """The network, a key of `edgeseg.models.MODELS`."""

    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """Labelled images, KIND:WHERE (see `open_samples`), mixed. `KIND:WHERE@SPLIT` takes another split than train."""

    out: Path
    """Folder for checkpoints and the log."""

    repeat: tuple[int, ...] = ()
    """How often an epoch goes through each of the data sets, in their order; once each unless given. For labels a pixel alone."""

    epochs: int | None = None
    """How often to go through the data, in place of --steps."""

    steps: int = 3000
    """How long to train: whole epochs until so many steps are done, whatever the number of images."""

    val: str = ""
    """Labelled images to measure on while training, KIND:WHERE; the best weights are kept by it."""

    measure_every: int = 10
    """Epochs between two measurements."""

    batch: int = 8
    """Images a step, over all processes."""

    optimiser: Literal["sgd", "adamw"] = "sgd"
    """SGD with Nesterov momentum 0.9, or AdamW."""

    schedule: Literal["cosine", "poly"] = "cosine"
    """How the learning rate falls: half a cosine, or (1 - done) ** 0.9."""

    lr: float | None = None
    """Highest learning rate; 0.05 unless given, 0.001 with --qat."""

    backbone_lr: float = 1.0
    """Learning rate of a MobileNetV2 backbone as a multiple of --lr: less keeps what its weights know."""

    warmup: float = 0.05
    """Share of the run in which the learning rate rises."""

    weight_decay: float = 1e-4
    """Of convolution kernels alone."""

    ema: float = 0.999
    """Decay of the averaged weights a step; it is those that are measured and kept."""

    auxiliary: float = 0.4
    """Weight of the loss of each intermediate feature's head."""

    class_power: float = 0.15
    """Rare classes count more: weight = (1 / frequency) ** this."""

    copy_paste: float = 0.5
    """Share of the views that things of another image are pasted into; for instances alone."""

    mosaic: float = 0.0
    """Share of the views that show four images, each at half the zoom; for instances alone."""

    clip: float = 5.0
    """Largest norm of the gradient; a step where it is not finite is left out."""

    seed: int = 0
    """Decides the order, the views and the first weights."""

    mixed: bool = False
    """Compute in BF16 where PyTorch deems it safe."""

    device: str = "auto"
    """auto, cpu, cuda."""

    start: Path | None = None
    """A checkpoint, or a model by its name or folder, whose weights to begin from; what is of other classes begins anew."""

    backbone: Path | None = None
    """ImageNet weights of MobileNetV2, batch norm folded, for the networks that are built on it."""

    frozen_norm: bool = False
    """Keep the statistics of the backbone's batch norm, which those of a few views would not better; saves time, too."""

    frozen_blocks: int = 0
    """Keep the weights of the backbone's stem and of so many of its blocks, if more than 0."""

    teacher: Path | None = None
    """A checkpoint of the same classes whose answers to learn from (see --objective.distill)."""

    qat: bool = False
    """Quantization-aware: go on training what --start names, rounded as its INT8 graph is."""

    resume: bool = False
    """Go on from the last checkpoint in --out."""

    view: View = field(default_factory=View)
    objective: Objective = field(default_factory=Objective)

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "batch", "measure_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} is {value}: give 1 or more")
        if not 0 <= self.highest_lr < math.inf:
            raise UsageError(f"--lr is {self.lr}: give 0 or more")
        if not 0 <= self.backbone_lr < math.inf:
            raise UsageError(f"--backbone-lr is {self.backbone_lr}: give 0 or more")
        if self.frozen_blocks < 0:
            raise UsageError(f"--frozen-blocks is {self.frozen_blocks}: give 0 or more")
        if self.repeat and (len(self.repeat) != len(self.data) or min(self.repeat) < 1):
            raise UsageError(
                f"--repeat {' '.join(map(str, self.repeat))}: give 1 or more for each --data, in their order"
            )
        for name in ("copy_paste", "mosaic"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"--{name.replace('_', '-')} is {getattr(self, name)}: give a share from 0 to 1")
        if self.seed < 0:
            raise UsageError(f"--seed is {self.seed}: give 0 or more")
        for name in () if self.model in INSTANCE_MODELS else ("input_size", "crop"):
            width, height = getattr(self.view, name)
            if min(width, height) < SIDE_MULTIPLE or width % SIDE_MULTIPLE or height % SIDE_MULTIPLE:
                raise UsageError(
                    f"--view.{name.replace('_', '-')} is {width} {height}: give multiples of {SIDE_MULTIPLE}"
                )
        if (self.teacher is None) != (self.objective.distill == 0):
            raise UsageError("--teacher and --objective.distill go together: give both or neither")
        if self.qat and self.start is None:
            raise UsageError("--qat goes on from a network that is trained: give --start NAME, or a checkpoint, too")
        if self.qat and self.mixed:
            raise UsageError("--qat and --mixed exclude each other, BF16 is too coarse to round in: leave --mixed out")

    @property
    def highest_lr(self) -> float:
        """The learning rate after the warm-up."""
        if self.lr is not None:
            return self.lr
        return 0.001 if self.qat else 0.05

    def told(self) -> dict[str, Any]:
        """Returns the fields as JSON values for others to read: data sets and files by name, without their folders."""
        fields = dataclasses.asdict(self)
        for name in ("start", "backbone", "teacher"):
            fields[name] = fields[name] and fields[name].name
        fields["lr"] = self.highest_lr
        return {**fields, "out": self.out.name, "data": [unplaced(at) for at in self.data], "val": unplaced(self.val)}
