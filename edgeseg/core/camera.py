"""A camera as optics have it: where a point in front of it falls on the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera with a lens, in the terms of OpenCV and of ROS's CameraInfo.

    width, height: pixels of the picture that `matrix` holds for.
    matrix: float64 [3, 3], (fx 0 cx; 0 fy cy; 0 0 1) in pixels; x to the right, y down, z forward (REP 103, optical frame).
    distortion: float64 [N], the lens after `model`; for "plumb_bob" k1, k2, p1, p2, k3; empty where there is none.
    """

    width: int
    height: int
    matrix: NDArray[np.float64]
    distortion: NDArray[np.float64]
    model: str = "plumb_bob"
