"""Pictures that carry a number, and clips of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

BITS = 40

ClipWriter = Callable[..., Path]


def bars(number: int, width: int = 160, height: int = 96) -> np.ndarray:
    """A picture, uint8 [height, width, 3]: the number as 40 upright bars, black for 0, white for 1, highest bit left.

    Below the bars is noise, so that a frame takes as many bytes of a clip as a filmed one.
    """
    bits = [number >> bit & 1 for bit in reversed(range(BITS))]
    row = np.repeat(np.array(bits, np.uint8) * 255, width // BITS)
    picture = np.repeat(np.repeat(row[None, :, None], height, axis=0), 3, axis=2)
    picture[height * 3 // 4 :] = np.random.default_rng(number).integers(0, 256, picture[height * 3 // 4 :].shape)
    return picture


def read_bars(image: np.ndarray) -> int:
    """The number that a picture of bars carries, also after lossy compression and at another size."""
    row = image[len(image) // 2, :, 1]
    centres = (np.arange(BITS) + 0.5) * len(row) / BITS
    return int("".join("1" if row[int(centre)] > 127 else "0" for centre in centres), 2)


def write_clip(
    path: Path,
    codec: str = "libx264",
    count: int = 30,
    container_options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    rotation: int = 0,
) -> Path:
    """Writes a clip whose frames carry their own numbers, from 0; the container follows from the name's ending."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25, options=codec_options or {})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bars(number), format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def clip(tmp_path: Path) -> ClipWriter:
    """Writes a numbered clip of this name into a fresh folder: clip("a.mp4", codec="libx264", count=30)."""
    return lambda name, **options: write_clip(tmp_path / name, **options)
