"""`edgeseg export`"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from edgeseg.cli.clashes import refuse_clashes
from edgeseg.cli.output import check_json_file, console_beside, write_json
from edgeseg.core.errors import EdgesegError, UsageError

if TYPE_CHECKING:
    from edgeseg.core.bundle import Bundle

ONNX = (".onnx",)


@dataclass(frozen=True)
class Export:
    """Write a trained checkpoint as a bundle that `run` opens."""

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """What `edgeseg train` wrote: model.safetensors."""

    out: Path
    """The bundle's folder; engines/NAME is found by its name."""

    input_size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="W H")] = None
    """What the network is to see of a frame, in pixels, if not the size that it was trained for: multiples of 32, or for
    instances a square. What was measured in training holds no longer, and is left out of the bundle."""

    labels: Annotated[Path | None, tyro.conf.arg(metavar="FILE.onnx")] = None
    """For another runtime: write a graph that ends at a label map of the input's size, too."""

    labels_type: Literal["uint8", "int32"] = "uint8"
    """What --labels are; int32 is for a TensorRT that puts out no uint8."""

    dynamic_batch: Annotated[Path | None, tyro.conf.arg(metavar="FILE.onnx")] = None
    """For another runtime: write a graph that takes any number of images, too."""

    json: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Write where the bundle lies and what it holds as one JSON object to this file ("-" for standard output)."""

    def execute(self) -> int:
        """Exports and prints where the bundle lies, and how exact it is. Returns the exit status."""
        from edgeseg.core.bundle import MANIFEST, Bundle
        from edgeseg.train.export import export

        check_json_file(self.json)
        written = {"--json": self.json, "--labels": self.labels, "--dynamic-batch": self.dynamic_batch}
        refuse_clashes([str(self.checkpoint)], written)
        self._check_variants()
        console = console_beside(self.json)
        bundle = Bundle.open(export(self.checkpoint, self.out, size=self.input_size))
        exported = json.loads((bundle.path / MANIFEST).read_text(encoding="utf-8"))["export"]
        console.print(
            f"{bundle.path}: {bundle.name}, {', '.join(bundle.graphs)}; try: edgeseg run --model {bundle.path}"
        )
        for name, off in exported["off_pytorch"].items():
            share = (
                f"{100 * off['relative']:.2g} % of the largest, {100 * off['rms']:.2g} % of the deviation on average"
            )
            console.print(f"{name}: at most {off['largest']:.2g} off PyTorch's on the golden frame, {share}")
        variants = self._write_variants(bundle)
        for said in variants.values():
            console.print(f"{said['file']}: {said['holds']}")
        document = {"path": str(bundle.path), "name": bundle.name, "files": bundle.files, "export": exported}
        write_json(self.json, {**document, "variants": variants})
        return 0

    def _check_variants(self) -> None:
        from edgeseg.models import INSTANCE_MODELS
        from edgeseg.streaming.sinks.files import draft_beside
        from edgeseg.train.checkpoint import read_about

        for path in filter(None, (self.labels, self.dynamic_batch)):
            draft_beside(path, ONNX)
        if self.labels is not None and read_about(self.checkpoint).model in INSTANCE_MODELS:
            raise UsageError("--labels is for label maps, and this network answers with instances: leave it out")

    def _write_variants(self, bundle: Bundle) -> dict[str, dict[str, Any]]:
        """Returns, by option, the file, what it holds, and how exact it is."""
        from edgeseg.train import variants

        graph, (image, _) = bundle.file(bundle.graphs["fp32"]).read_bytes(), bundle.golden()
        written: dict[str, dict[str, Any]] = {}
        if self.labels is not None:
            variant = variants.with_labels(graph, self.labels_type)
            share = variants.check_labels(variant, graph, image)
            holds = (
                f"labels, {self.labels_type} [1, {bundle.height}, {bundle.width}]; {100 * share:.3f} % as edgeseg's own"
            )
            written["labels"] = {"file": _write(self.labels, variant), "holds": holds, "agreement": share}
        if self.dynamic_batch is not None:
            variant = variants.with_free_batch(graph)
            off = variants.check_batch(variant, graph, image)
            holds = f"any number of images; of three at once each is at most {100 * off:.2g} % off what it is alone"
            written["dynamic_batch"] = {"file": _write(self.dynamic_batch, variant), "holds": holds, "off": off}
        return written


def _write(path: Path, content: bytes) -> str:
    from edgeseg.streaming.sinks.files import draft_beside

    draft = draft_beside(path, ONNX)
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise EdgesegError(f"{path} can't be written ({error.strerror}): free some space") from error
    finally:
        draft.unlink(missing_ok=True)
    return str(path)
