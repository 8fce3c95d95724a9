"""`edgeseg models`"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from edgeseg.cli.output import check_json_file, console_beside, write_json


@dataclass(frozen=True)
class Models:
    """List the models that are here: what each is for, what it costs and what it is worth."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the list as one JSON document to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Prints the table; a bundle that does not open is listed with what is wrong. Returns the exit status."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        from edgeseg.core.bundle import Bundle
        from edgeseg.core.catalog import catalog
        from edgeseg.core.errors import BundleError

        check_json_file(self.json)
        table = Table(box=SIMPLE_HEAD)
        for column in ("model", "graphs", "MB", "mIoU or mask AP, %"):
            table.add_column(column, no_wrap=column == "model", overflow="fold")
        rows: list[dict[str, Any]] = []
        for name, path in sorted(catalog().items()):
            try:
                bundle = Bundle.open(path)
            except BundleError as error:
                rows.append({"name": name, "path": str(path), "error": str(error)})
                table.add_row(name, Text(str(error), "red"))
                continue
            row = _row(bundle)
            rows.append(row)
            size = f"{row['input'][0]}x{row['input'][1]}"
            megabytes = f"{row['bytes'] / 1e6:.1f}"
            about = f"{name}\n  {row['task']}, {size}"
            table.add_row(about, ", ".join(row["precisions"]), megabytes, _worth(bundle))
        console = console_beside(self.json)
        console.print(table if rows else "no models here: `edgeseg export CHECKPOINT --out engines/NAME` writes one")
        write_json(self.json, rows)
        return 0


def _row(bundle: Any) -> dict[str, Any]:
    return {
        "name": bundle.path.name,
        "path": str(bundle.path),
        "task": bundle.task,
        "architecture": bundle.architecture,
        "input": [bundle.width, bundle.height],
        "classes": list(bundle.classes),
        "precisions": sorted(bundle.graphs),
        "bytes": sum((bundle.path / name).stat().st_size for name in bundle.files),
        "metrics": list(bundle.metrics),
        "training": bundle.training,
        "terms": bundle.terms,
    }


def _worth(bundle: Any) -> str:
    """What was measured, a line for each data set: the figure, and in brackets what it is in lower precisions."""
    lines: dict[str, list[str]] = {}
    for measured in bundle.metrics:
        figure = measured.get("miou", measured.get("mask_ap"))
        if figure is None:
            continue
        precision = measured.get("precision", "fp32")
        said = f"{100 * figure:.1f}" if precision == "fp32" else f"{precision} {100 * figure:.1f}"
        seen = ", trained on," if bundle.trained_on(measured["data"], measured["split"]) else ""
        lines.setdefault(f"{measured['data']} {measured['split']}{seen}", []).append(said)
    return "\n".join(
        f"{data} {first}" + (f" ({', '.join(rest)})" if rest else "") for data, (first, *rest) in lines.items()
    )
