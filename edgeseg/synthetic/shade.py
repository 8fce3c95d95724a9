"""From the visibility buffer to pixels: texture, light, shadow, haze, tone; then edges smoothed along the faces' outlines."""

from __future__ import annotations

import numpy as np
from numba import njit

from edgeseg.synthetic.raster import CUTOUT, GLOWS, GRITTY, LEAFY, level_of

TONE_STEPS = 4096
"""Entries of the tone table a unit of linear light; the table holds four units."""
_LANES = np.uint64(0x00FF00FF00FF00FF)
_UNIT = 1.0 / 65280.0
_BRIGHTEST = 4.0 * TONE_STEPS - 1.0


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def shade(
    above,
    ids,
    store,
    meta,
    pool,
    places,
    sizes,
    heights,
    ground,
    haze,
    glow,
    tone,
    grain,
    shift,
    lens_x,
    lens_y,
    image,
    labels,
    instances,
    seen,
):
    """Fills image uint8 [H, W, 3] BGR, labels uint8 [H, W], instances uint16 [H, W]: a band that begins `above` rows below the top.

    ground float64 [4, 3]: rows take (x, y, 1) w to the shadow map's column, row and height; the last row holds their offsets.
    haze float64 [5]: linear BGR, its depth in metres, how much of the ambient light a shadow takes. glow float64 [3]: BGR of
    the mirrored sky. tone uint8 [4 * TONE_STEPS]. grain float32 [128, 128] around 1, moved by shift. lens: vignette. seen uint8 [F]
    is set to 1 for faces with a pixel.
    """
    height, width = ids.shape
    rows, columns = heights.shape
    haze0, haze1, haze2 = haze[0], haze[1], haze[2]
    moved = np.uint64(shift[0])
    for y in range(height):
        yc = above + y + 0.5
        row = np.uint64(y)
        names = ids[y]
        noise = grain[(above + y + shift[1]) & 127]
        lens = lens_y[y] * TONE_STEPS
        x = 0
        while x < width:
            face = names[x]
            s = store[face]
            # Between a run's ends all goes in straight lines, so that runs are short where depth changes fast.
            stop = min(width, x + (64 if abs(s[0]) * 2000.0 < s[0] * x + s[1] * yc + s[2] else 16))
            end = x + 1
            while end < stop and names[end] == face:
                end += 1
            seen[face] = 1
            texture, label, instance, bits = meta[face, 0], meta[face, 1], meta[face, 2], meta[face, 3]
            dq, q0 = s[0], s[1] * yc + s[2]
            du, u0 = s[3], s[4] * yc + s[5]
            dv, v0 = s[6], s[7] * yc + s[8]
            dl, l0 = s[9], s[10] * yc + s[11]
            dg, g0 = s[12], s[13] * yc + s[14]
            xa, xb = x + 0.5, end - 0.5
            per = 1.0 / max(xb - xa, 1.0)
            wa, wb = 1.0 / (dq * xa + q0), 1.0 / (dq * xb + q0)
            ua, va = (du * xa + u0) * wa, (dv * xa + v0) * wa
            ub, vb = (du * xb + u0) * wb, (dv * xb + v0) * wb
            size_u, size_v = sizes[texture, 0], sizes[texture, 1]
            step_u = max(abs(du - ua * dq), abs(s[4] - ua * s[1])) * abs(wa) * (1 << size_u)
            step_v = max(abs(dv - va * dq), abs(s[7] - va * s[1])) * abs(wa) * (1 << size_v)
            level_u, level_v = level_of(step_u, size_u), level_of(step_v, size_v)
            bits_u, bits_v = size_u - level_u, size_v - level_v
            place = places[texture, level_u, level_v]
            mask_u, mask_v = (1 << bits_u) - 1, (1 << bits_v) - 1
            wide, tall = float(65536 << bits_u), float(65536 << bits_v)
            run_u, run_v = int(ua * wide) - 32768, int(va * tall) - 32768
            more_u, more_v = int((ub - ua) * wide * per), int((vb - va) * tall * per)
            sky = face == 0
            unlit = bits & GLOWS != 0
            gritty = bits & GRITTY != 0 and step_v < 2.0
            coarse = 5.0 * max(0.0, 1.0 - step_v * 0.5)
            shines = s[12] != 0.0 or s[13] != 0.0 or s[14] != 0.0
            mirror = 0.0 if bits & CUTOUT else 1.0
            a0, a1, a2, s0, s1, s2 = s[15], s[16], s[17], s[18], s[19], s[20]
            hidden = haze[4] * s[22]
            sun, more_sun = (dl * xa + l0) * wa, ((dl * xb + l0) * wb - (dl * xa + l0) * wa) * per
            sheen, more_sheen = (dg * xa + g0) * wa, ((dg * xb + g0) * wb - (dg * xa + g0) * wa) * per
            mist = 1.0 / (1.0 + haze[3] * (dq * xa + q0))
            mist *= mist
            mist_end = 1.0 / (1.0 + haze[3] * (dq * xb + q0))
            more_mist = (mist_end * mist_end - mist) * per
            shaded = not sky and not unlit and (hidden > 0.0 or sun > 0.0 or sun + more_sun > 0.0)
            gx, gz, limit, more_gx, more_gz, more_limit = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            if shaded:
                gx0, gz0 = ground[0, 1] * yc + ground[0, 2], ground[1, 1] * yc + ground[1, 2]
                gy0 = ground[2, 1] * yc + ground[2, 2]
                gx = (ground[0, 0] * xa + gx0) * wa + ground[3, 0]
                gz = (ground[1, 0] * xa + gz0) * wa + ground[3, 1]
                limit = (ground[2, 0] * xa + gy0) * wa + ground[3, 2] + s[21]
                ends_x = (ground[0, 0] * xb + gx0) * wb + ground[3, 0]
                ends_z = (ground[1, 0] * xb + gz0) * wb + ground[3, 1]
                more_gx, more_gz = (ends_x - gx) * per, (ends_z - gz) * per
                more_limit = ((ground[2, 0] * xb + gy0) * wb + ground[3, 2] + s[21] - limit) * per
                shaded = (
                    min(gx, ends_x) >= 0.0
                    and min(gz, ends_z) >= 0.0
                    and max(gx, ends_x) < columns - 1.01
                    and max(gz, ends_z) < rows - 1.01
                )
            for k in range(end - x):
                i = np.uint64(x + k)
                iu, iv = run_u >> 16, run_v >> 16
                fu, fv = (run_u >> 8) & 255, (run_v >> 8) & 255
                run_u += more_u
                run_v += more_v
                top = np.uint64(place + ((iv & mask_v) << bits_u))
                low = np.uint64(place + (((iv + 1) & mask_v) << bits_u))
                left, right = np.uint64(iu & mask_u), np.uint64((iu + 1) & mask_u)
                w11 = (fu * fv) >> 8
                c = np.uint64(pool[top + left])
                total = ((c | (c << np.uint64(24))) & _LANES) * np.uint64(256 - fu - fv + w11)
                c = np.uint64(pool[top + right])
                total += ((c | (c << np.uint64(24))) & _LANES) * np.uint64(fu - w11)
                c = np.uint64(pool[low + left])
                total += ((c | (c << np.uint64(24))) & _LANES) * np.uint64(fv - w11)
                c = np.uint64(pool[low + right])
                total += ((c | (c << np.uint64(24))) & _LANES) * np.uint64(w11)
                blue = float(np.int64(total & np.uint64(0xFFFF))) * _UNIT
                red = float(np.int64((total >> np.uint64(16)) & np.uint64(0xFFFF))) * _UNIT
                green = float(np.int64((total >> np.uint64(32)) & np.uint64(0xFFFF))) * _UNIT
                blue *= blue
                red *= red
                green *= green
                if not sky:
                    soft, beam = 1.0, max(sun, 0.0)
                    if shaded:
                        ix, iz = int(gx), int(gz)
                        fx, fz = gx - ix, gz - iz
                        jx, jz = np.uint64(ix), np.uint64(iz)
                        n0 = 1.0 if heights[jz, jx] < limit else 0.0
                        n1 = 1.0 if heights[jz, jx + np.uint64(1)] < limit else 0.0
                        m0 = 1.0 if heights[jz + np.uint64(1), jx] < limit else 0.0
                        m1 = 1.0 if heights[jz + np.uint64(1), jx + np.uint64(1)] < limit else 0.0
                        n0 += (n1 - n0) * fx
                        m0 += (m1 - m0) * fx
                        lit = n0 + (m0 - n0) * fz
                        beam *= lit
                        soft -= hidden * (1.0 - lit)
                        gx += more_gx
                        gz += more_gz
                        limit += more_limit
                    if gritty:
                        grit = grain[np.uint64((iv * 8 + (fv >> 5)) & 127), np.uint64((iu * 8 + (fu >> 5)) & 127)]
                        grit = 1.0 + (grit - 1.0) * coarse
                        soft *= grit
                        beam *= grit
                    blue *= a0 * soft + s0 * beam
                    green *= a1 * soft + s1 * beam
                    red *= a2 * soft + s2 * beam
                    if shines and sheen > 0.0:
                        alpha = float(np.int64((total >> np.uint64(48)) & np.uint64(0xFFFF))) * _UNIT
                        gleam = sheen * (1.0 - alpha) * mirror
                        blue += gleam * glow[0]
                        green += gleam * glow[1]
                        red += gleam * glow[2]
                    blue += (haze0 - blue) * mist
                    green += (haze1 - green) * mist
                    red += (haze2 - red) * mist
                    sun += more_sun
                    sheen += more_sheen
                    mist += more_mist
                fade = lens_x[i] * noise[(i + moved) & np.uint64(127)] * lens
                image[row, i, 0] = tone[np.uint64(min(blue * fade, _BRIGHTEST))]
                image[row, i, 1] = tone[np.uint64(min(green * fade, _BRIGHTEST))]
                image[row, i, 2] = tone[np.uint64(min(red * fade, _BRIGHTEST))]
                labels[row, i] = label
                instances[row, i] = instance
            x = end


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _crossing(outlines, face, x0, y0, x1, y1, vertical):
    """Where the way from inside a face to a neighbour leaves it, 0..1; 2 where it does not, or by a flat edge."""
    best, answer = 2.0, 2.0
    for i in range(int(outlines[face, 3])):
        a, b, c = outlines[face, 4 + 3 * i], outlines[face, 5 + 3 * i], outlines[face, 6 + 3 * i]
        here = a * x0 + b * y0 + c
        there = a * x1 + b * y1 + c
        if here >= 0.0 and there < 0.0:
            steep = abs(a) < abs(b)
            t = here / (here - there)
            if t < best:
                best = t
                answer = t if steep == vertical else 3.0
    return answer


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _blend(raw, out, y0, x0, y1, x1, share):
    for k in range(3):
        here = int(out[y0, x0, k])
        out[y0, x0, k] = here + int(np.floor(share * (int(raw[y1, x1, k]) - here) + 0.5))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def smooth(raw, ids, outlines, meta, places, down, out):
    """Mixes pixels along faces' outlines by the share of the pixel that the outline cuts off (Persson 2011, "Geometry
    buffer anti-aliasing"); out begins as a copy of raw, both uint8 [H, W, 3]. Labels stay as they are.

    places int64 [N]: y * W + x where the pixel to the right (down = 0) or below (down = 1) shows another face.
    """
    width = ids.shape[1]
    for place in places:
        y = place // width
        x = place - y * width
        yn, xn = y + down, x + 1 - down
        face, other = ids[y, x], ids[yn, xn]
        apart = abs(int(raw[y, x, 1]) - int(raw[yn, xn, 1])) + abs(int(raw[y, x, 2]) - int(raw[yn, xn, 2]))
        if apart < 12 or meta[face, 3] & meta[other, 3] & LEAFY:
            continue
        ax, ay, bx, by = x + 0.5, y + 0.5, xn + 0.5, yn + 0.5
        mx, my = 0.5 * (ax + bx), 0.5 * (ay + by)
        mine = outlines[face, 0] * mx + outlines[face, 1] * my + outlines[face, 2]
        its = outlines[other, 0] * mx + outlines[other, 1] * my + outlines[other, 2]
        if face != 0 and (other == 0 or mine >= its):
            t = _crossing(outlines, face, ax, ay, bx, by, down == 1)
        else:
            t = _crossing(outlines, other, bx, by, ax, ay, down == 1)
            if t <= 1.0:
                t = 1.0 - t
        if t <= 0.5:
            _blend(raw, out, y, x, yn, xn, 0.5 - t)
        elif t <= 1.0:
            _blend(raw, out, yn, xn, y, x, t - 0.5)
        elif t == 2.0 and (meta[face, 3] | meta[other, 3]) & CUTOUT:
            _blend(raw, out, y, x, yn, xn, 0.22)
            _blend(raw, out, yn, xn, y, x, 0.22)
