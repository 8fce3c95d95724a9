"""What was measured so far, kept beside the JSON until all is: a profile that was interrupted goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeseg.core.errors import UsageError


class Journal:
    """Keeps values by key; with a file, one JSON line each, written as they come.

    path: the file, or None to keep them in memory alone. settings: what must be the same for measurements to belong together.
    resume: go on with what the file holds (nothing, where there is none); else it begins anew. Raises UsageError where the file
    can't be written, is no journal, or was begun with other settings.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any], *, resume: bool) -> None:
        self._path = path
        self._values: dict[str, Any] = {}
        if path is None:
            return
        if resume and path.exists():
            self._read(path, settings)
        else:
            self._write(json.dumps({"settings": settings}) + "\n", "w")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Any:
        """Returns the value, or None where there is none yet."""
        return self._values.get(key)

    def add(self, key: str, value: Any) -> None:
        """Keeps a value. Raises UsageError where the disk is full."""
        self._values[key] = value
        if self._path is not None:
            self._write(json.dumps({"key": key, "value": value}) + "\n", "a")

    def finish(self) -> None:
        """Removes the file: all is measured."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _write(self, text: str, mode: str) -> None:
        assert self._path is not None
        try:
            with self._path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise UsageError(f"{self._path} can't be written ({error.strerror}); choose another --json") from error

    def _read(self, path: Path, settings: dict[str, Any]) -> None:
        try:
            first, *lines = path.read_text(encoding="utf-8").splitlines()
            begun = json.loads(first)["settings"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} is no journal of a profile; remove it, or leave --resume out") from error
        for name, value in settings.items():
            if begun.get(name) != value:
                raise UsageError(
                    f"{path} was begun with {name} {begun.get(name)!r}, not {value!r}: repeat its options, or leave --resume out"
                )
        for line in lines:
            try:
                entry = json.loads(line)
                self._values[entry["key"]] = entry["value"]
            except (ValueError, KeyError, TypeError):
                # The line that was under way when the power went: what it held is measured again.
                continue
