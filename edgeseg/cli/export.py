"""`edgeseg export`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json


@dataclass(frozen=True)
class Export:
    """Write a trained checkpoint as a bundle that `run` opens."""

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """What `edgeseg train` wrote: model.safetensors."""

    out: Path
    """The bundle's folder; engines/NAME is found by its name."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write where the bundle lies and what it holds as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Exports and prints where the bundle lies. Returns the exit status."""
        from edgeseg.core.bundle import Bundle
        from edgeseg.train.export import export

        check_json_file(self.json)
        bundle = Bundle.open(export(self.checkpoint, self.out))
        console_beside(self.json).print(
            f"{bundle.path}: {bundle.name}, {', '.join(bundle.graphs)}; try: edgeseg run --model {bundle.path}"
        )
        write_json(self.json, {"path": str(bundle.path), "name": bundle.name, "files": bundle.files})
        return 0
