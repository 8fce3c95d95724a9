"""One painted picture of a run."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.errors import SinkError
from edgeseg.core.result import Result
from edgeseg.streaming.sinks.files import draft_beside
from edgeseg.streaming.sinks.picture import Painter


class StillSink:
    """Keeps the picture of the newest result and writes it at the end, as PNG or JPEG."""

    def __init__(self, path: Path, painter: Painter) -> None:
        self._path, self._painter = path, painter
        self._draft = draft_beside(path, (".png", ".jpg", ".jpeg"))
        self._picture: NDArray[np.uint8] | None = None

    def write(self, result: Result) -> None:
        """Keeps this result's picture in place of the one before."""
        self._picture = self._painter.paint(result)

    def close(self) -> str:
        """Writes the picture and returns its path, "" where there was none. Raises SinkError."""
        picture, self._picture = self._picture, None
        if picture is None:
            return str(self._path) if self._path.is_file() else ""
        _, encoded = cv2.imencode(self._path.suffix.lower(), picture)
        try:
            self._draft.write_bytes(encoded.tobytes())
            self._draft.replace(self._path)
        except OSError as error:
            raise SinkError(f"{self._path} can't be written ({error.strerror}): free some space") from error
        finally:
            self._draft.unlink(missing_ok=True)
        return str(self._path)
