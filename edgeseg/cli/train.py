"""`edgeseg train`"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.train.recipe import Recipe


@dataclass(frozen=True)
class Train(Recipe):
    """Train a network on labelled images; a checkpoint after every epoch, to be resumed at any time."""

    recipe: Annotated[Path | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """Take MODEL and every option that is not given here from this file (see recipes/)."""

    data_root: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """The folder that the data sets and weights of --recipe lie in."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write where the checkpoint lies as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Trains and prints where the checkpoint lies. Returns the exit status."""
        from edgeseg.train.loop import train
        from edgeseg.train.peers import is_first

        check_json_file(self.json)
        checkpoint = train(Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)}))
        if not is_first():
            return 0
        console_beside(self.json).print(
            f"{checkpoint}; next: edgeseg export {checkpoint} --out engines/NAME", soft_wrap=True
        )
        write_json(self.json, {"checkpoint": str(checkpoint)})
        return 0
