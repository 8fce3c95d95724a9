"""Which models, engines and precisions this machine can run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeseg.core.bundle import Bundle
from edgeseg.core.catalog import catalog, open_bundle
from edgeseg.core.errors import EdgesegError, UsageError, did_you_mean
from edgeseg.runtime.choose import PACKAGE_OF, PRECISIONS, Choice, choose, installed
from edgeseg.runtime.cpu import cpu_features, usable_cores
from edgeseg.runtime.segmenter import InstanceSegmenter, SemanticSegmenter, load


@dataclass(frozen=True)
class Candidate:
    """A row to be: a bundle on an engine in a precision."""

    bundle: Bundle
    choice: Choice

    @property
    def id(self) -> str:
        """What the row is called: "fast-scnn-street openvino bf16"."""
        return f"{self.bundle.name} {self.choice.engine} {self.choice.precision}"

    def open(self, threads: int) -> SemanticSegmenter | InstanceSegmenter:
        """Opens the segmenter. threads: cores that its engine takes. Raises EngineError, BundleError."""
        return load(self.bundle.path, engine=self.choice.engine, precision=self.choice.precision, threads=threads)


def find_candidates(
    models: Sequence[str], engines: Sequence[str] = (), precisions: Sequence[str] = ()
) -> tuple[list[Candidate], list[str]]:
    """Returns what can be opened here, and a sentence on each that can't though its graph is there.

    models: names or folders; none means all in reach. engines, precisions: those to take; none means all. Raises UsageError for an
    unknown name, and where nothing is left.
    """
    for given, known in ((engines, PACKAGE_OF), (precisions, PRECISIONS)):
        for name in given:
            if name not in known:
                raise UsageError(f"no engine or precision {name!r}: {did_you_mean(name, known)}")
    found: list[Candidate] = []
    left_out: list[str] = []
    for model in models or sorted(catalog()):
        bundle = open_bundle(model)
        for engine in engines or PACKAGE_OF:
            for precision in precisions or PRECISIONS:
                _try(bundle, engine, precision, found, left_out)
    if len({candidate.id for candidate in found}) < len(found):
        raise UsageError("two of these models have one name, and rows are told apart by it: profile them one by one")
    if not found:
        why = "; ".join(left_out) or "no bundle here has such a graph, or the engine is not installed"
        raise UsageError(f"nothing to profile: {why}; see `edgeseg models` and `edgeseg doctor`")
    return found, left_out


def _try(bundle: Bundle, engine: str, precision: str, found: list[Candidate], left_out: list[str]) -> None:
    """Adds the candidate, or the reason why this machine does not run it; what a bundle does not have is no reason."""
    if not installed(engine):
        return
    try:
        choice = choose(bundle, engine, precision)
    except UsageError:
        return
    if precision == "bf16" and not cpu_features()["bf16"]:
        left_out.append(f"{bundle.name} {engine} bf16: this processor has no BF16, it would be imitated")
        return
    try:
        candidate = Candidate(bundle, choice)
        candidate.open(usable_cores()).close()
        found.append(candidate)
    except EdgesegError as error:
        left_out.append(f"{bundle.name} {engine} {precision}: {error}")
