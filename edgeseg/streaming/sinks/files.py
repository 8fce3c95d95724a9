"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from edgeseg.core.errors import SinkError, UsageError


def draft_beside(path: Path, endings: tuple[str, ...]) -> Path:
    """Returns a temporary name in the folder of `path`, where nothing stands yet and a file can be written.

    endings: those that `path` may have, with the dot. Raises UsageError for another ending or a folder, SinkError where
    nothing can be written.
    """
    if path.suffix.lower() not in endings:
        raise UsageError(f"{path}: give a name that ends in {' or '.join(endings)}")
    draft = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name a file in it")
        draft.touch()
        draft.unlink()
    except OSError as error:
        raise SinkError(f"{path} can't be written ({error.strerror}): choose another place") from error
    return draft
