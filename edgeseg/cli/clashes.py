"""An output is never an input: told before anything is opened, since what is replaced is gone."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgeseg.core.errors import UsageError
from edgeseg.core.image_files import IMAGE_SUFFIXES
from edgeseg.core.provenance import split_of


def refuse_clashes(
    inputs: Iterable[str], outputs: Mapping[str, str | Path | None], *, pictures_alone: bool = False
) -> None:
    """inputs: files, folders or globs as they were given; addresses of other kinds clash with nothing. outputs: by option, files,
    or folders to write pictures into; None and "-" are none. pictures_alone: of a folder only its pictures are read, so that the
    figures of the last time may be written over.

    Raises UsageError where a file that would be written is one that would be read, links followed, or lies in a folder that is.
    """
    sources = [(given, path) for given in inputs for path in _paths(given)]
    for option, value in outputs.items():
        output = None if value is None or str(value) == "-" else Path(value)
        if output is None or not output.exists() or not (output.is_file() or output.is_dir()):
            continue
        for given, source in sources:
            figures = (
                pictures_alone and source.is_dir() and output.is_file() and output.suffix.lower() not in IMAGE_SUFFIXES
            )
            if not figures and _meet(output, source):
                raise UsageError(f"{option} {output} would write over what is read, {given}: choose another place")


def data_folder(address: str) -> str:
    """Returns the folder of labelled images, KIND:FOLDER[,...][@SPLIT]; "" where they have none."""
    kind, _, where = address.partition(":")
    return "" if kind == "street" else split_of(where.partition(",")[0])[0]


def _paths(given: str) -> list[Path]:
    if given.startswith("fault://"):
        # The source that is made to misbehave stands last, and is read as any other.
        given = given.partition("inner=")[2]
    if not given or "://" in given:
        return []
    path = Path(given).expanduser()
    return [path] if path.exists() else [Path(found) for found in glob.glob(given, recursive=True)]  # noqa: PTH207 - a whole pattern


def _meet(output: Path, source: Path) -> bool:
    if output.samefile(source):
        return True
    if output.is_dir():
        # Masks are named after the pictures that they are of; a folder of links to pictures shares them with theirs.
        pictures = [source] if source.is_file() else source.iterdir()
        read = {path.resolve().parent for path in pictures if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()}
        return output.resolve() in read
    return source.is_dir() and (source.resolve() in output.resolve().parents or _holds(source, output))


def _holds(folder: Path, file: Path) -> bool:
    """Returns whether a link below the folder, hard or symbolic, of a file or of a folder, leads to the file."""
    wanted, seen = file.stat(), set[str]()
    for at, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        if real in seen:
            folders.clear()  # links may go round in circles
            continue
        seen.add(real)
        for name in names:
            try:
                found = Path(at, name).stat()
            except OSError:
                continue  # a link to nothing is read by nobody
            if os.path.samestat(found, wanted):
                return True
    return False
