"""`edgeseg train`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json


@dataclass(frozen=True)
class Train:
    """Train a network on labelled images; a checkpoint after every epoch, to be resumed at any time."""

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """The network: fast-scnn."""

    data: Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
    """Labelled images, KIND:WHERE: camvid:DIR, or street:frames=N,seed=S. Give it again to mix."""

    out: Path
    """Folder for checkpoints and the log."""

    epochs: int = 100
    """How often to go through the data."""

    batch: int = 8
    """Images a step."""

    lr: float = 0.05
    """Highest learning rate."""

    seed: int = 0
    """Decides the order, the views and the first weights."""

    val: str = ""
    """Labelled images to measure on while training, KIND:WHERE."""

    start: Path | None = None
    """A checkpoint whose weights to begin from."""

    mixed: bool = False
    """Compute in BF16 where PyTorch deems it safe."""

    device: str = "auto"
    """auto, cpu, cuda."""

    resume: bool = False
    """Go on from the last checkpoint in --out."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write where the checkpoint lies as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Trains and prints where the checkpoint lies. Returns the exit status."""
        from edgeseg.train.loop import Recipe, train

        check_json_file(self.json)
        recipe = Recipe(
            model=self.model,
            data=self.data,
            out=self.out,
            epochs=self.epochs,
            val=self.val,
            batch=self.batch,
            lr=self.lr,
            seed=self.seed,
            start=self.start,
            mixed=self.mixed,
            device=self.device,
            resume=self.resume,
        )
        checkpoint = train(recipe)
        console_beside(self.json).print(f"{checkpoint}; next: edgeseg export {checkpoint} --out engines/NAME")
        write_json(self.json, {"checkpoint": str(checkpoint), "epochs": self.epochs})
        return 0
