"""Where a verb's words and figures go: a console for people, one JSON object for programs."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from edgeseg.core.errors import UsageError


def console_beside(json_file: str | None) -> Console:
    """Returns the console for people: standard output, or standard error where the JSON takes standard output.

    It takes every text as it is: "pip install 'edgeseg[cpu]'" is no markup.
    """
    return Console(stderr=json_file == "-", highlight=False, markup=False)


def check_json_file(json_file: str | None) -> None:
    """Raises UsageError where the JSON could not be written, before any work is done for it."""
    if json_file and json_file != "-" and not Path(json_file).resolve().parent.is_dir():
        raise UsageError(f"--json {json_file}: the folder {Path(json_file).parent} does not exist; create it first")
    if json_file and json_file != "-" and Path(json_file).is_dir():
        raise UsageError(f"--json {json_file}: that is a folder; name a file in it")
    if json_file and json_file != "-":
        target = Path(json_file).resolve()
        # A regular file is replaced, which its own mode would not stop: whoever made it read-only wants it kept.
        if target.exists() and not (os.access(target, os.W_OK) and target.stat().st_mode & 0o222):
            raise UsageError(f"--json {json_file}: that file is read-only; choose another place")
        if (target.is_file() or not target.exists()) and not os.access(target.parent, os.W_OK | os.X_OK):
            raise UsageError(
                f"--json {json_file}: the folder {target.parent} can't be written to; choose another place"
            )


def write_json(json_file: str | None, document: Any) -> None:
    """Writes one JSON document to a file, whole or not at all; "-" is standard output, None nowhere."""
    if json_file is None:
        return
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if json_file == "-":
        sys.stdout.write(text)
        return
    # A link is followed: what it points to is replaced, and the link stays.
    target = Path(json_file).resolve()
    try:
        if target.exists() and not target.is_file():
            # A device or a pipe takes what is written to it; a file in its place would be somebody's loss.
            target.write_text(text, encoding="utf-8")
            return
        with tempfile.NamedTemporaryFile("w", dir=target.parent, prefix=f".{target.name}-", delete=False) as draft:
            draft.write(text)
        Path(draft.name).replace(target)
        target.chmod(0o644)
    except OSError as error:
        raise UsageError(f"--json {json_file} can't be written ({error.strerror}); choose another place") from error
