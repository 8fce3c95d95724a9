"""Masks as files: label maps as palette PNGs, instances as COCO run-length JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.core.errors import SinkError
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import Result

INSTANCES = "instances.jsonl"


class MasksSink:
    """Writes one PNG (mode P: the pixel is the class id, the palette its colour) a frame, or one JSON line a frame.

    A PNG is named after the frame's index, or after the image where the source is a folder of images.
    folder: made if it is not there. palette: RGB by class id. Raises SinkError where it can't be written.
    """

    def __init__(self, folder: Path, palette: Sequence[Sequence[int]]) -> None:
        self._folder = folder
        self._palette = bytes(channel for colour in palette for channel in colour)
        self._lines: IO[str] | None = None
        self._stems: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SinkError(f"{folder} can't be written ({error.strerror}): choose another --masks") from error

    def write(self, result: Result) -> None:
        """Writes the masks of one frame. Raises SinkError where the disk is full."""
        try:
            if isinstance(result.masks, SemanticMask):
                self._write_labels(self._name(result), result.masks.labels)
            else:
                self._write_instances(result)
        except OSError as error:
            raise SinkError(
                f"{self._folder}: masks of frame {result.frame.index} not written ({error.strerror})"
            ) from error

    def close(self) -> str:
        """Closes the JSON lines and returns the folder."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        return str(self._folder)

    def _name(self, result: Result) -> str:
        source = Path(result.frame.source)
        stem = (
            source.stem if source.suffix.lower() in {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"} else ""
        )
        if not stem or stem in self._stems:
            return f"frame_{result.frame.index:06d}.png"
        self._stems.add(stem)
        return f"{stem}.png"

    def _write_labels(self, name: str, labels: NDArray[np.uint8]) -> None:
        picture = Image.fromarray(labels, mode="P")
        picture.putpalette(self._palette)
        draft = self._folder / f".{name}"
        try:
            picture.save(draft, format="PNG", compress_level=1)
            draft.replace(self._folder / name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _write_instances(self, result: Result) -> None:
        assert not isinstance(result.masks, SemanticMask)
        if self._lines is None:
            self._lines = (self._folder / INSTANCES).open("w", encoding="utf-8")
        line = {"frame": result.frame.index, "source": result.frame.source, "instances": result.masks.to_coco()}
        self._lines.write(json.dumps(line) + "\n")
        self._lines.flush()
