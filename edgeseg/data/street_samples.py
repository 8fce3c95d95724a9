"""Labelled frames of the rendered street."""

from __future__ import annotations

import threading

from edgeseg.core.classes import STREET_CLASSES, STREET_PALETTE
from edgeseg.core.errors import UsageError
from edgeseg.core.provenance import FRAMES_A_SEED
from edgeseg.data.protocol import Sample
from edgeseg.synthetic import Street, StreetView


class StreetSamples:
    """Frames of the rendered street: from several seeds, far apart in each, in three usual frame sizes.

    frames: how many. seed: the first of the seeds; after every `FRAMES_A_SEED` frames comes the next.
    Raises UsageError for less than one frame.
    """

    SPACING = 331
    SIZES = ((1280, 720), (960, 540), (640, 360))

    classes = STREET_CLASSES
    palette = STREET_PALETTE
    terms = "street: rendered by edgeseg, no restriction"

    def __init__(self, frames: int, seed: int) -> None:
        if frames < 1:
            raise UsageError(f"{frames} frames of the street are none; ask for 1 or more")
        self._frames = frames
        self._first = seed
        self._drive: Street | None = None
        self._rendering = threading.Lock()

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int) -> Sample:
        name, view = self.view(index)
        return name, view.image, view.labels

    def view(self, index: int) -> tuple[str, StreetView]:
        """Returns a frame's name and all that is known of it."""
        if not 0 <= index < self._frames:
            raise IndexError(index)
        turn, position = divmod(index, FRAMES_A_SEED)
        # A street renders one frame at a time; training asks from several threads.
        with self._rendering:
            drive = self._drive_of(self._first + turn, self.SIZES[turn % len(self.SIZES)])
            return f"street-{drive.seed}-{position * self.SPACING:05d}", drive.render(position * self.SPACING)

    def _drive_of(self, seed: int, size: tuple[int, int]) -> Street:
        # Building a street takes longer than rendering a frame of it.
        if self._drive is None or self._drive.seed != seed:
            self._drive = Street(seed, *size)
        return self._drive
