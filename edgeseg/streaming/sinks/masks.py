"""Masks as files: label maps as palette PNGs, instances as COCO run-length JSON lines."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgeseg.core.errors import SinkError
from edgeseg.core.image_files import IMAGE_SUFFIXES
from edgeseg.core.masks import InstanceMasks, SemanticMask
from edgeseg.core.result import Frame, Result

INSTANCES = "instances.jsonl"


class MasksSink:
    """Writes one PNG (mode P: the pixel is the class id, the palette its colour) or one JSON line a frame.

    A PNG is named after its image where the source is a folder of images, else after the frame's index:
    frame_000000.png. Ids without a class, like the ignored 255, are black. A JSON line holds frame (index), source,
    captured_ns and instances (`InstanceMasks.to_coco`); it is on the disk when `write` returns.
    folder: made if it is not there. palette: RGB by class id. Raises SinkError where it can't be written.
    """

    def __init__(self, folder: Path, palette: Sequence[Sequence[int]]) -> None:
        self._folder = folder
        # All 256 colours: with fewer Pillow packs pixels into fewer bits, and an id beyond them would come out as another.
        self._palette = bytes(channel for colour in palette for channel in colour).ljust(768, b"\0")
        self._lines: io.FileIO | None = None
        self._names: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SinkError(f"{folder} can't be written ({error.strerror}): choose another folder for masks") from error

    def write(self, result: Result) -> None:
        """Writes the masks of one frame, whole or not at all. Raises SinkError where the disk is full."""
        try:
            if isinstance(result.masks, SemanticMask):
                self._write_labels(self._name(result.frame), result.masks.labels)
            else:
                self._write_instances(result.frame, result.masks)
        except OSError as error:
            raise SinkError(
                f"{self._folder}: masks of frame {result.frame.index} not written ({error.strerror}): free some space"
            ) from error

    def close(self) -> str:
        """Closes the JSON lines and returns the folder."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None
        return str(self._folder)

    def _name(self, frame: Frame) -> str:
        image = Path(frame.source)
        if "://" in frame.source or image.suffix.lower() not in IMAGE_SUFFIXES:
            return f"frame_{frame.index:06d}.png"
        name = f"{image.stem}.png"
        if name in self._names:  # a.jpg beside a.png, or of the same name in another folder
            name = f"{image.stem}_{frame.index:06d}.png"
        self._names.add(name)
        return name

    def _write_labels(self, name: str, labels: NDArray[np.uint8]) -> None:
        picture = Image.fromarray(labels)
        picture.putpalette(self._palette)
        encoded = io.BytesIO()  # Pillow takes twice as long to write to a file by itself.
        picture.save(encoded, format="PNG", compress_level=2)
        draft = self._folder / f".{name}"
        try:
            draft.write_bytes(encoded.getbuffer())
            draft.replace(self._folder / name)
        finally:
            draft.unlink(missing_ok=True)

    def _write_instances(self, frame: Frame, masks: InstanceMasks) -> None:
        if self._lines is None:
            self._lines = io.FileIO(self._folder / INSTANCES, "w")
        line = {
            "frame": frame.index,
            "source": frame.source,
            "captured_ns": frame.captured_ns,
            "instances": masks.to_coco(),
        }
        encoded = (json.dumps(line) + "\n").encode()
        begin = self._lines.tell()
        try:
            if self._lines.write(encoded) < len(encoded):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._lines.seek(begin)
            self._lines.truncate()
            raise
