"""A frame on its way from the camera to whoever asked for its masks, and what it took to get there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgeseg.core.camera import Camera
from edgeseg.core.masks import Masks, SemanticMask


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    image: uint8 [H, W, 3], BGR.
    index: position among the frames that the source captured, from 0.
    captured_ns: when it was captured, on the clock of `time.monotonic_ns`.
    source: the address it came from.
    decode_ns: what the source itself spent on making this picture (reading, decoding, rendering), without waiting.
    truth: the exact label map, where the source knows it (a rendered one does).
    truth_ids: uint16 [H, W], which thing a pixel of `truth` belongs to: a number that the thing keeps from frame to frame,
    0 where there is none. None where the source does not know.
    damage: why the picture must not be used ("" = it is sound): a decoder reported it broken, or it is cut short.
    stale: it lay somewhere before it was read (a network's backlog), so that it does not show what is there now.
    depth: float32 [H, W], metres along the camera's axis to what a pixel shows, where the source knows it.
    camera: what took the picture, where the source knows it.
    pose: float64 [4, 4], from the camera's coordinates (x to the right, y down, z forward, metres) to the world's, where the
    source knows it.
    """

    image: NDArray[np.uint8]
    index: int
    captured_ns: int
    source: str
    decode_ns: int = 0
    truth: SemanticMask | None = None
    truth_ids: NDArray[np.uint16] | None = None
    damage: str = ""
    stale: bool = False
    depth: NDArray[np.float32] | None = None
    camera: Camera | None = None
    pose: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class EngineInfo:
    """What computes the masks.

    name: openvino, onnxruntime, tensorrt. precision: fp32, bf16, fp16, int8. device: the processor's name.
    threads: how many cores it may take. versions: package -> version. reason: why this engine and precision were taken.
    """

    name: str
    precision: str
    device: str
    threads: int
    versions: dict[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Timing:
    """When each stage worked on this frame: stage name -> (begin, end) in ns of `time.monotonic_ns`."""

    spans: dict[str, tuple[int, int]]
    delivered_ns: int

    @property
    def stage_ms(self) -> dict[str, float]:
        """Stage name -> milliseconds it worked on this frame; waiting between stages is in none of them."""
        return {name: (end - begin) / 1e6 for name, (begin, end) in self.spans.items()}


@dataclass(frozen=True, eq=False)
class Result:
    """The masks of one frame.

    lane: which source the frame came from, where a stream has several (their order there).
    """

    frame: Frame
    masks: Masks
    timing: Timing
    engine: EngineInfo
    lane: int = 0

    @property
    def age_ms(self) -> float:
        """Milliseconds since the frame was captured, at the moment of asking."""
        return (time.monotonic_ns() - self.frame.captured_ns) / 1e6

    @property
    def latency_ms(self) -> float:
        """Milliseconds from the frame's capture to the delivery of this result to the caller."""
        return (self.timing.delivered_ns - self.frame.captured_ns) / 1e6
