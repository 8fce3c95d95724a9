"""From faces to a visibility buffer: which face is seen at each pixel's centre, and how high the sun's rays are stopped.

Attributes are planes over the screen from the inverse of a face's three corners in homogeneous coordinates (Olano and
Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates"), so that only the outline needs near clipping.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TWO_SIDED, CUTOUT, CASTS, GRITTY, GLOWS, PAINTED, LEAFY = 1, 2, 4, 8, 16, 32, 64
"""Bits of a face: seen from behind too; holes where its texture's alpha is low; casts a shadow; takes asphalt's grit when
near; ignores light; takes its part's tint; a leaf, which shades itself softly."""

STORE_WIDTH = 23
"""Floats a visible face: planes of 1/w, u/w, v/w, sun/w, sheen/w (0:15), ambient and sun tint (15:21), shadow bias (21),
share of the ambient light that a shadow takes (22)."""
OUTLINE_WIDTH = 20
"""Float32s a visible face: plane of 1/w (0:3), number of edges (3), edges a x + b y + c >= 0 inside (4:19)."""
META_WIDTH = 4
"""Integers a visible face: texture, label, instance, bits."""
NEAR = 0.12


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def level_of(step, deepest):
    level = 0
    while step > 1.5 and level < deepest:
        step *= 0.5
        level += 1
    return level


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def fill(px, py, lean, count, plane, divisor, name, texture, pool, places, sizes, ids, depth):
    """Writes `name` where the convex outline covers a pixel's centre, is nearest, and (texture >= 0) is opaque.
    lean is scratch of eight floats."""
    height, width = depth.shape
    low, high = py[0], py[0]
    for i in range(1, count):
        low = min(low, py[i])
        high = max(high, py[i])
    first = max(0, int(np.ceil(low - 0.5)))
    last = min(height - 1, int(np.ceil(high - 0.5)) - 1)
    j = count - 1
    for i in range(count):
        fall = py[j] - py[i]
        lean[i] = (px[j] - px[i]) / fall if fall != 0.0 else 0.0
        j = i
    a, b, c = plane[0], plane[1], plane[2]
    place, bits_u, bits_v = 0, 0, 0
    if texture >= 0 and first <= last:
        mx, my = 0.0, 0.0
        for i in range(count):
            mx += min(max(px[i], 0.0), float(width))
            my += min(max(py[i], 0.0), float(height))
        mx /= count
        my /= count
        q = 1.0 / (divisor[0] * mx + divisor[1] * my + divisor[2])
        u = (plane[3] * mx + plane[4] * my + plane[5]) * q
        v = (plane[6] * mx + plane[7] * my + plane[8]) * q
        su = max(abs(plane[3] - u * divisor[0]), abs(plane[4] - u * divisor[1])) * q
        sv = max(abs(plane[6] - v * divisor[0]), abs(plane[7] - v * divisor[1])) * q
        level_u = level_of(abs(su) * (1 << sizes[texture, 0]), sizes[texture, 0])
        level_v = level_of(abs(sv) * (1 << sizes[texture, 1]), sizes[texture, 1])
        place = places[texture, level_u, level_v]
        bits_u = sizes[texture, 0] - level_u
        bits_v = sizes[texture, 1] - level_v
    for y in range(first, last + 1):
        yc = y + 0.5
        row_y = np.uint64(y)
        left, right = 1e30, -1e30
        j = count - 1
        for i in range(count):
            if (py[i] <= yc) != (py[j] <= yc):
                x = px[i] + (yc - py[i]) * lean[i]
                left = min(left, x)
                right = max(right, x)
            j = i
        if left >= width or right <= 0.0:
            continue
        x0 = max(0, int(np.ceil(max(left, 0.0) - 0.5)))
        x1 = min(width, int(np.ceil(min(right, float(width)) - 0.5)))
        base = np.float32(a * 0.5 + b * yc + c)
        slope = np.float32(a)
        if texture < 0:
            row = depth[y, x0:x1]
            names = ids[y, x0:x1]
            start = base + slope * np.float32(x0)
            for x in range(max(x1 - x0, 0)):
                d = start + slope * np.float32(x)
                if d > row[x]:
                    row[x] = d
                    names[x] = name
        else:
            mask_u, mask_v = (1 << bits_u) - 1, (1 << bits_v) - 1
            wide, tall = float(65536 << bits_u), float(65536 << bits_v)
            x = x0
            while x < x1:
                end = min(x + 16, x1)
                xa, xb = x + 0.5, end - 0.5
                per = 1.0 / max(xb - xa, 1.0)
                qa = 1.0 / (divisor[0] * xa + divisor[1] * yc + divisor[2])
                qb = 1.0 / (divisor[0] * xb + divisor[1] * yc + divisor[2])
                ua = (plane[3] * xa + plane[4] * yc + plane[5]) * qa * wide
                va = (plane[6] * xa + plane[7] * yc + plane[8]) * qa * tall
                more_u = int(((plane[3] * xb + plane[4] * yc + plane[5]) * qb * wide - ua) * per)
                more_v = int(((plane[6] * xb + plane[7] * yc + plane[8]) * qb * tall - va) * per)
                run_u, run_v = int(ua), int(va)
                d = base + slope * np.float32(x)
                for k in range(end - x):
                    i = np.uint64(x + k)
                    if d > depth[row_y, i]:
                        texel = place + (((run_v >> 16) & mask_v) << bits_u) + ((run_u >> 16) & mask_u)
                        if pool[np.uint64(texel)] >> 24 > 100:
                            depth[row_y, i] = d
                            ids[row_y, i] = name
                    d += slope
                    run_u += more_u
                    run_v += more_v
                x = end


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _light(face, row, pos, nrm, tint, gloss, info, mat, part_tint, sun, ambient, store, sheen):
    """Ambient and sun tint of a face, its corners' sunlight (returned) and sheen: what it mirrors of the sky."""
    bits = info[face, 2]
    scale = np.sqrt(mat[0] * mat[0] + mat[4] * mat[4] + mat[8] * mat[8])
    lit0, lit1, lit2 = 0.0, 0.0, 0.0
    up = 0.0
    lean = 0.0
    for i in range(3):
        nx, ny, nz = nrm[face, i, 0], nrm[face, i, 1], nrm[face, i, 2]
        wx = (mat[0] * nx + mat[1] * ny + mat[2] * nz) / scale
        wy = (mat[4] * nx + mat[5] * ny + mat[6] * nz) / scale
        wz = (mat[8] * nx + mat[9] * ny + mat[10] * nz) / scale
        lit = wx * sun[0] + wy * sun[1] + wz * sun[2]
        if bits & LEAFY:
            lit = 0.35 + 0.65 * lit
        lit = max(lit, 0.0)
        if i == 0:
            lit0 = lit
            lean = np.sqrt(wx * wx + wz * wz) / max(lit, 0.15) * sun[1]
        elif i == 1:
            lit1 = lit
        else:
            lit2 = lit
        up += wy
        sheen[i] = 0.0
        if gloss[face] > 0.0:
            x, y, z = pos[face, i, 0], pos[face, i, 1], pos[face, i, 2]
            vx = mat[0] * x + mat[1] * y + mat[2] * z + mat[3]
            vy = mat[4] * x + mat[5] * y + mat[6] * z + mat[7]
            vz = mat[8] * x + mat[9] * y + mat[10] * z + mat[11]
            r = 1.0 / np.sqrt(vx * vx + vy * vy + vz * vz + 1e-9)
            facing = -(vx * wx + vy * wy + vz * wz) * r
            mirror_y = vy * r + 2.0 * facing * wy
            mirror_x = vx * r + 2.0 * facing * wx
            mirror_z = vz * r + 2.0 * facing * wz
            grazing = 1.0 - min(max(facing, 0.0), 1.0)
            fresnel = 0.12 + 0.88 * grazing * grazing * grazing * grazing
            sky = min(max(mirror_y * 2.2 + 0.32, 0.06), 1.0)
            spot = max(mirror_x * sun[0] + mirror_y * sun[1] + mirror_z * sun[2], 0.0)
            spot = spot * spot
            spot = spot * spot
            spot = spot * spot
            sheen[i] = gloss[face] * (fresnel * sky + 0.5 * sun[3] * spot * spot)
    up /= 3.0
    if bits & LEAFY:
        up = 0.5 * up + 0.4
    for k in range(3):
        t = float(tint[face, k])
        if bits & PAINTED:
            t *= part_tint[k]
        if bits & GLOWS:
            store[row, 15 + k] = t
            store[row, 18 + k] = 0.0
        else:
            store[row, 15 + k] = t * (ambient[0, k] * (0.5 + 0.5 * up) + ambient[1, k] * (0.5 - 0.5 * up))
            store[row, 18 + k] = t * ambient[2, k]
    store[row, 22] = 0.5 if bits & LEAFY else max(up, 0.0)
    store[row, 21] = 1.3 if bits & LEAFY else 0.07 + min(0.16 * lean, 0.9)
    return lit0, lit1, lit2


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw(
    pos,
    nrm,
    uv,
    info,
    tint,
    gloss,
    planes,
    spans,
    mats,
    tints,
    names,
    radii,
    view,
    sun,
    ambient,
    pool,
    places,
    sizes,
    store,
    outlines,
    meta,
    ids,
    depth,
    used,
):
    """Draws parts of a mesh; returns how many faces the store then holds.

    spans int32 [P, 2] faces from, to; mats float64 [P, 12] rows of the part's 3x4 matrix, metres from the camera along the
    world's axes; names int32 [P, 2] label and instance, -1 for the face's own; radii float64 [P] metres, 0 = never culled.
    view float64 [3, 3] takes those metres to (x w, y w, w) with x, y in pixels.
    """
    height, width = depth.shape
    px, py, lean = np.empty(8), np.empty(8), np.empty(8)
    cx, cy, cw = np.empty(4), np.empty(4), np.empty(4)
    r = np.empty((3, 3))
    mv = np.empty((3, 4))
    plane = np.empty(9)
    sheen = np.empty(3)
    left_reach, right_reach, wide_reach = 0.0, 0.0, 0.0
    for k in range(3):
        left_reach += view[0, k] ** 2
        right_reach += (view[0, k] - width * view[2, k]) ** 2
        wide_reach += (view[0, k] - 0.5 * width * view[2, k]) ** 2
    left_reach, right_reach, wide_reach = np.sqrt(left_reach), np.sqrt(right_reach), np.sqrt(wide_reach)
    for p in range(spans.shape[0]):
        mat = mats[p]
        for i in range(3):
            for k in range(4):
                mv[i, k] = view[i, 0] * mat[k] + view[i, 1] * mat[4 + k] + view[i, 2] * mat[8 + k]
        if radii[p] > 0.0:
            reach = radii[p]
            if mv[2, 3] < NEAR - reach:
                continue
            if reach * wide_reach < 0.8 * mv[2, 3]:
                continue
            if mv[0, 3] < -reach * left_reach or width * mv[2, 3] - mv[0, 3] < -reach * right_reach:
                continue
        size = mat[0] * mat[0] + mat[4] * mat[4] + mat[8] * mat[8]
        ex = -(mat[0] * mat[3] + mat[4] * mat[7] + mat[8] * mat[11]) / size
        ey = -(mat[1] * mat[3] + mat[5] * mat[7] + mat[9] * mat[11]) / size
        ez = -(mat[2] * mat[3] + mat[6] * mat[7] + mat[10] * mat[11]) / size
        for f in range(spans[p, 0], spans[p, 1]):
            bits = info[f, 2]
            if not bits & TWO_SIDED and planes[f, 0] * ex + planes[f, 1] * ey + planes[f, 2] * ez <= planes[f, 3]:
                continue
            closest, farthest = 1e30, -1e30
            for i in range(4):
                x, y, z = pos[f, i, 0], pos[f, i, 1], pos[f, i, 2]
                cx[i] = mv[0, 0] * x + mv[0, 1] * y + mv[0, 2] * z + mv[0, 3]
                cy[i] = mv[1, 0] * x + mv[1, 1] * y + mv[1, 2] * z + mv[1, 3]
                cw[i] = mv[2, 0] * x + mv[2, 1] * y + mv[2, 2] * z + mv[2, 3]
                closest = min(closest, cw[i])
                farthest = max(farthest, cw[i])
            if farthest < NEAR:
                continue
            for i in range(3):
                j, k = (i + 1) % 3, (i + 2) % 3
                r[i, 0] = cy[j] * cw[k] - cw[j] * cy[k]
                r[i, 1] = cw[j] * cx[k] - cx[j] * cw[k]
                r[i, 2] = cx[j] * cy[k] - cy[j] * cx[k]
            det = r[0, 0] * cx[0] + r[0, 1] * cy[0] + r[0, 2] * cw[0]
            if abs(det) < 1e-12:
                continue
            count = 0
            if closest >= NEAR:
                count = 4
                for i in range(4):
                    px[i] = cx[i] / cw[i]
                    py[i] = cy[i] / cw[i]
            else:
                j = 3
                for i in range(4):
                    if (cw[i] >= NEAR) != (cw[j] >= NEAR):
                        t = (NEAR - cw[j]) / (cw[i] - cw[j])
                        px[count] = (cx[j] + t * (cx[i] - cx[j])) / NEAR
                        py[count] = (cy[j] + t * (cy[i] - cy[j])) / NEAR
                        count += 1
                    if cw[i] >= NEAR:
                        px[count] = cx[i] / cw[i]
                        py[count] = cy[i] / cw[i]
                        count += 1
                    j = i
            x_low, x_high, y_low, y_high, area = 1e30, -1e30, 1e30, -1e30, 0.0
            j = count - 1
            for i in range(count):
                x_low = min(x_low, px[i])
                x_high = max(x_high, px[i])
                y_low = min(y_low, py[i])
                y_high = max(y_high, py[i])
                area += px[j] * py[i] - px[i] * py[j]
                j = i
            if x_high <= 0.5 or y_high <= 0.5 or x_low >= width - 0.5 or y_low >= height - 0.5:
                continue
            if np.ceil(y_low - 0.5) >= np.ceil(y_high - 0.5) or np.ceil(x_low - 0.5) >= np.ceil(x_high - 0.5):
                continue
            if used >= store.shape[0]:
                return used
            lit0, lit1, lit2 = _light(f, used, pos, nrm, tint, gloss, info, mat, tints[p], sun, ambient, store, sheen)
            for k in range(3):
                r0, r1, r2 = r[0, k] / det, r[1, k] / det, r[2, k] / det
                plane[k] = r0 + r1 + r2
                plane[3 + k] = r0 * uv[f, 0, 0] + r1 * uv[f, 1, 0] + r2 * uv[f, 2, 0]
                plane[6 + k] = r0 * uv[f, 0, 1] + r1 * uv[f, 1, 1] + r2 * uv[f, 2, 1]
                store[used, k] = plane[k]
                outlines[used, k] = plane[k]
                store[used, 3 + k] = plane[3 + k]
                store[used, 6 + k] = plane[6 + k]
                store[used, 9 + k] = r0 * lit0 + r1 * lit1 + r2 * lit2
                store[used, 12 + k] = r0 * sheen[0] + r1 * sheen[1] + r2 * sheen[2]
            turn = 1.0 if area > 0.0 else -1.0
            j = count - 1
            for i in range(count):
                ea = -(py[i] - py[j]) * turn
                eb = (px[i] - px[j]) * turn
                outlines[used, 4 + 3 * i] = ea
                outlines[used, 5 + 3 * i] = eb
                outlines[used, 6 + 3 * i] = -(ea * px[j] + eb * py[j])
                j = i
            outlines[used, 3] = count
            meta[used, 0] = info[f, 0]
            meta[used, 1] = names[p, 0] if names[p, 0] >= 0 else info[f, 1]
            meta[used, 2] = names[p, 1]
            meta[used, 3] = bits
            texture = info[f, 0] if bits & CUTOUT else -1
            fill(px, py, lean, count, plane, plane, used, texture, pool, places, sizes, ids, depth)
            used += 1
    return used
