"""One line of what `edgeseg doctor` reports."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True)
class Finding:
    """One line of the report. state: ok, missing (an option that is not there), or broken (something that should work)."""

    what: str
    state: str
    said: str
    remedy: str = ""


def version_of(*distributions: str) -> str:
    """Returns "name version" of the first distribution that is installed; none is imported for it."""
    for name in distributions:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "version unknown (not installed by pip)"
