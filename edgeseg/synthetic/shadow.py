"""The shadow map: how high the sun's rays to each cell of the ground are stopped."""

from __future__ import annotations

import numpy as np
from numba import njit

from edgeseg.synthetic.raster import CASTS, CUTOUT, TWO_SIDED, fill


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def cast(pos, uv, info, planes, spans, mats, solid, slant, origin, pool, places, sizes, ids, heights):
    """Writes how high (metres above the camera) the sun's ray to each cell of the ground is stopped.

    A point is carried along the sun's direction to the camera's level: column (x - y slant[0] - origin[0]) * slant[2], row
    (z - y slant[1] - origin[1]) * slant[3]. solid: one-sided faces enclose bodies, so that those in the sun's
    lee need not be drawn. heights float32 [rows, columns] starts far below; ids is scratch.
    """
    rows, columns = heights.shape
    px, py, lean, top = np.empty(8), np.empty(8), np.empty(8), np.empty(4)
    plane = np.zeros(9)
    divisor = np.zeros(3)
    divisor[2] = 1.0
    for p in range(spans.shape[0]):
        mat = mats[p]
        sx = mat[0] * slant[0] + mat[4] + mat[8] * slant[1]
        sy = mat[1] * slant[0] + mat[5] + mat[9] * slant[1]
        sz = mat[2] * slant[0] + mat[6] + mat[10] * slant[1]
        for f in range(spans[p, 0], spans[p, 1]):
            bits = info[f, 2]
            if not bits & CASTS:
                continue
            if solid and not bits & TWO_SIDED and planes[f, 0] * sx + planes[f, 1] * sy + planes[f, 2] * sz <= 0.0:
                continue
            for i in range(4):
                x, y, z = pos[f, i, 0], pos[f, i, 1], pos[f, i, 2]
                wy = mat[4] * x + mat[5] * y + mat[6] * z + mat[7]
                wx = mat[0] * x + mat[1] * y + mat[2] * z + mat[3]
                wz = mat[8] * x + mat[9] * y + mat[10] * z + mat[11]
                px[i] = (wx - wy * slant[0] - origin[0]) * slant[2]
                py[i] = (wz - wy * slant[1] - origin[1]) * slant[3]
                top[i] = wy
            x_low = min(min(px[0], px[1]), min(px[2], px[3]))
            x_high = max(max(px[0], px[1]), max(px[2], px[3]))
            y_low = min(min(py[0], py[1]), min(py[2], py[3]))
            y_high = max(max(py[0], py[1]), max(py[2], py[3]))
            if x_high <= 0.5 or y_high <= 0.5 or x_low >= columns - 0.5 or y_low >= rows - 0.5:
                continue
            ax, ay = px[1] - px[0], py[1] - py[0]
            bx, by = px[2] - px[0], py[2] - py[0]
            det = ax * by - ay * bx
            if abs(det) < 1e-6:
                continue
            for k in range(3):
                if k == 0:
                    v0, v1, v2 = top[0], top[1], top[2]
                else:
                    v0, v1, v2 = float(uv[f, 0, k - 1]), float(uv[f, 1, k - 1]), float(uv[f, 2, k - 1])
                gx = ((v1 - v0) * by - (v2 - v0) * ay) / det
                gy = ((v2 - v0) * ax - (v1 - v0) * bx) / det
                plane[3 * k] = gx
                plane[3 * k + 1] = gy
                plane[3 * k + 2] = v0 - gx * px[0] - gy * py[0]
            texture = info[f, 0] if bits & CUTOUT else -1
            fill(px, py, lean, 4, plane, divisor, 0, texture, pool, places, sizes, ids, heights)
