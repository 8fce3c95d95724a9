"""From the visibility buffer to pixels: texture, light, shadow, haze, tone; then edges smoothed along the faces' outlines."""

from __future__ import annotations

import numpy as np
from numba import njit

from edgeseg.data.street.raster import CUTOUT, GLOWS, GRITTY, _level

TONE_STEPS = 4096
"""Entries of the tone table a unit of linear light; the table holds four units."""
_LANES = np.uint64(0x00FF00FF00FF00FF)


@njit(cache=True, nogil=True, fastmath=True)
def shade(
    ids, store, meta, pool, places, sizes, heights, ground, haze, glow, tone, grain, shift, lens_x, lens_y,
    image, labels, instances,
):
    """Fills image uint8 [H, W, 3] BGR, labels uint8 [H, W], instances uint16 [H, W].

    ground float64 [4, 3]: rows take (x, y, 1) w to the shadow map's column, row and height; the last row holds their offsets.
    haze float64 [5]: linear BGR, its depth in metres, how much of the ambient light a shadow takes. glow float64 [3]: BGR of
    the mirrored sky. tone uint8 [4 * TONE_STEPS]. grain float32 [128, 128] around 1, moved by shift. lens: vignette.
    """
    height, width = ids.shape
    rows, columns = heights.shape
    for y in range(height):
        yc = y + 0.5
        noise = grain[(y + shift[1]) & 127]
        x = 0
        while x < width:
            face = ids[y, x]
            end = x + 1
            stop = min(width, x + 16)
            while end < stop and ids[y, end] == face:
                end += 1
            s = store[face]
            texture, label, instance, bits = meta[face, 0], meta[face, 1], meta[face, 2], meta[face, 3]
            dq, q0 = s[0], s[1] * yc + s[2]
            du, u0 = s[3], s[4] * yc + s[5]
            dv, v0 = s[6], s[7] * yc + s[8]
            dl, l0 = s[9], s[10] * yc + s[11]
            dg, g0 = s[12], s[13] * yc + s[14]
            xm = 0.5 * (x + end)
            w = 1.0 / (dq * xm + q0)
            u = (du * xm + u0) * w
            v = (dv * xm + v0) * w
            size_u, size_v = sizes[texture, 0], sizes[texture, 1]
            step_u = max(abs(du - u * dq), abs(s[4] - u * s[1])) * abs(w) * (1 << size_u)
            step_v = max(abs(dv - v * dq), abs(s[7] - v * s[1])) * abs(w) * (1 << size_v)
            level_u, level_v = _level(step_u, size_u), _level(step_v, size_v)
            bits_u, bits_v = size_u - level_u, size_v - level_v
            place = places[texture, level_u, level_v]
            mask_u, mask_v = (1 << bits_u) - 1, (1 << bits_v) - 1
            wide, tall = float(256 << bits_u), float(256 << bits_v)
            gritty = bits & GRITTY and step_v < 2.0
            coarse = 5.0 * max(0.0, 1.0 - step_v * 0.5)
            unlit = bits & GLOWS
            sky = face == 0
            a0, a1, a2, s0, s1, s2, bias = s[15], s[16], s[17], s[18], s[19], s[20], s[21]
            gx0 = ground[0, 1] * yc + ground[0, 2]
            gz0 = ground[1, 1] * yc + ground[1, 2]
            gy0 = ground[2, 1] * yc + ground[2, 2]
            for i in range(x, end):
                xc = i + 0.5
                q = dq * xc + q0
                w = 1.0 / q
                iu = int(np.floor((du * xc + u0) * w * wide)) - 128
                iv = int(np.floor((dv * xc + v0) * w * tall)) - 128
                fu, fv = iu & 255, iv & 255
                iu, iv = (iu >> 8) & mask_u, (iv >> 8) & mask_v
                top = place + (iv << bits_u)
                low = place + (((iv + 1) & mask_v) << bits_u)
                ju = (iu + 1) & mask_u
                w11 = (fu * fv) >> 8
                w01, w10 = fu - w11, fv - w11
                w00 = 256 - fu - fv + w11
                c = np.uint64(pool[top + iu])
                total = ((c | (c << np.uint64(24))) & _LANES) * np.uint64(w00)
                c = np.uint64(pool[top + ju])
                total += ((c | (c << np.uint64(24))) & _LANES) * np.uint64(w01)
                c = np.uint64(pool[low + iu])
                total += ((c | (c << np.uint64(24))) & _LANES) * np.uint64(w10)
                c = np.uint64(pool[low + ju])
                total += ((c | (c << np.uint64(24))) & _LANES) * np.uint64(w11)
                k = 1.0 / 65280.0
                blue = float(np.int64(total & np.uint64(0xFFFF))) * k
                red = float(np.int64((total >> np.uint64(16)) & np.uint64(0xFFFF))) * k
                green = float(np.int64((total >> np.uint64(32)) & np.uint64(0xFFFF))) * k
                blue *= blue
                red *= red
                green *= green
                if sky:
                    fade = lens_x[i] * lens_y[y]
                else:
                    lit = 1.0
                    if not unlit:
                        gx = (ground[0, 0] * xc + gx0) * w + ground[3, 0]
                        gz = (ground[1, 0] * xc + gz0) * w + ground[3, 1]
                        if gx >= 0.0 and gz >= 0.0 and gx < columns - 1 and gz < rows - 1:
                            limit = (ground[2, 0] * xc + gy0) * w + ground[3, 2] + bias
                            ix, iz = int(gx), int(gz)
                            fx, fz = gx - ix, gz - iz
                            n0 = 1.0 if heights[iz, ix] < limit else 0.0
                            n1 = 1.0 if heights[iz, ix + 1] < limit else 0.0
                            m0 = 1.0 if heights[iz + 1, ix] < limit else 0.0
                            m1 = 1.0 if heights[iz + 1, ix + 1] < limit else 0.0
                            n0 += (n1 - n0) * fx
                            m0 += (m1 - m0) * fx
                            lit = n0 + (m0 - n0) * fz
                    sun = (dl * xc + l0) * w * lit
                    soft = 1.0 - haze[4] * (1.0 - lit)
                    if gritty:
                        grit = grain[(iv * 8 + (fv >> 5)) & 127, (iu * 8 + (fu >> 5)) & 127]
                        grit = 1.0 + (grit - 1.0) * coarse
                        soft *= grit
                        sun *= grit
                    blue *= a0 * soft + s0 * sun
                    green *= a1 * soft + s1 * sun
                    red *= a2 * soft + s2 * sun
                    sheen = (dg * xc + g0) * w
                    if sheen > 0.0:
                        if not bits & CUTOUT:
                            alpha = float(np.int64((total >> np.uint64(48)) & np.uint64(0xFFFF))) * k
                            sheen *= 1.0 - alpha
                        blue += sheen * glow[0]
                        green += sheen * glow[1]
                        red += sheen * glow[2]
                    mist = 1.0 / (1.0 + haze[3] * q)
                    mist *= mist
                    blue += (haze[0] - blue) * mist
                    green += (haze[1] - green) * mist
                    red += (haze[2] - red) * mist
                    fade = lens_x[i] * lens_y[y]
                fade *= noise[(i + shift[0]) & 127] * TONE_STEPS
                image[y, i, 0] = tone[max(0, min(int(blue * fade), 4 * TONE_STEPS - 1))]
                image[y, i, 1] = tone[max(0, min(int(green * fade), 4 * TONE_STEPS - 1))]
                image[y, i, 2] = tone[max(0, min(int(red * fade), 4 * TONE_STEPS - 1))]
                labels[y, i] = label
                instances[y, i] = instance
            x = end


@njit(cache=True, nogil=True, fastmath=True)
def _crossing(store, face, x0, y0, x1, y1, vertical):
    """Where the way from inside a face to a neighbour leaves it, 0..1; 2 where it does not, or by a flat edge."""
    best, answer = 2.0, 2.0
    for i in range(int(store[face, 22])):
        a, b, c = store[face, 23 + 3 * i], store[face, 24 + 3 * i], store[face, 25 + 3 * i]
        here = a * x0 + b * y0 + c
        there = a * x1 + b * y1 + c
        if here >= 0.0 and there < 0.0:
            steep = abs(a) < abs(b)
            t = here / (here - there)
            if t < best:
                best = t
                answer = t if steep == vertical else 3.0
    return answer


@njit(cache=True, nogil=True, fastmath=True)
def _blend(raw, out, y0, x0, y1, x1, share):
    for k in range(3):
        here = int(out[y0, x0, k])
        out[y0, x0, k] = here + int(np.floor(share * (int(raw[y1, x1, k]) - here) + 0.5))


@njit(cache=True, nogil=True, fastmath=True)
def smooth(raw, ids, store, meta, out):
    """Mixes pixels along faces' outlines by the share of the pixel that the outline cuts off (Persson 2011, "Geometry
    buffer anti-aliasing"); out begins as a copy of raw, both uint8 [H, W, 3]. Labels stay as they are."""
    height, width = ids.shape
    for y in range(height):
        for x in range(width):
            face = ids[y, x]
            for turn in range(2):
                yn, xn = y + turn, x + 1 - turn
                if yn >= height or xn >= width or ids[yn, xn] == face:
                    continue
                other = ids[yn, xn]
                ax, ay, bx, by = x + 0.5, y + 0.5, xn + 0.5, yn + 0.5
                mx, my = 0.5 * (ax + bx), 0.5 * (ay + by)
                mine = store[face, 0] * mx + store[face, 1] * my + store[face, 2]
                its = store[other, 0] * mx + store[other, 1] * my + store[other, 2]
                t = 2.0
                if face != 0 and (other == 0 or mine >= its):
                    t = _crossing(store, face, ax, ay, bx, by, turn == 1)
                else:
                    t = _crossing(store, other, bx, by, ax, ay, turn == 1)
                    if t <= 1.0:
                        t = 1.0 - t
                if t <= 0.5:
                    _blend(raw, out, y, x, yn, xn, 0.5 - t)
                elif t <= 1.0:
                    _blend(raw, out, yn, xn, y, x, t - 0.5)
                elif t == 2.0 and (meta[face, 3] | meta[other, 3]) & CUTOUT:
                    _blend(raw, out, y, x, yn, xn, 0.22)
                    _blend(raw, out, yn, xn, y, x, 0.22)
