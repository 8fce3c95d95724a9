"""The errors a user can meet. Each message is one line: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EdgesegError(Exception):
    """The work failed. `str(error)` is the one line to show; the command line exits with `exit_status`."""

    exit_status = 1


class UsageError(EdgesegError):
    """What was asked for can't be: an unknown name, a malformed address, an option that does not fit."""

    exit_status = 2


class SourceError(EdgesegError):
    """A camera, stream, clip or folder could not be opened, or ended where it should not have."""


class SinkError(EdgesegError):
    """A place that masks were to go to could not take them."""


class BundleError(EdgesegError):
    """A model folder is incomplete, altered, or not a bundle."""


class EngineError(EdgesegError):
    """An inference engine could not be opened, or does not compute what the bundle says it should."""


class MissingPackageError(EdgesegError):
    """A package that an optional part needs is not installed; the message holds the line that installs it."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns "did you mean a, b?" with the nearest of `known`, or "known: a, b, c" where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {', '.join(near)}?"
    return f"known: {', '.join(names)}" if names else "none are known"
