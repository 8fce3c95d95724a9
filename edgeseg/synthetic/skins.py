"""The skins of cars and bicycles, and the faces of signs, as textures."""

from __future__ import annotations

import cv2
import numpy as np

from edgeseg.synthetic import patterns

SIGNS = 10


def paint() -> dict[str, np.ndarray]:
    images = {
        "front": _car_end(front=True),
        "rear": _car_end(front=False),
        "wheel": _wheel(),
        "spokes": _spokes(),
        "panel": _panel(),
        "glass": _glass(),
    }
    return images | {f"sign{i}": image for i, image in enumerate(_signs())}


def _car_end(front: bool) -> np.ndarray:
    """A car's front or rear in white, to be tinted: lamps, grille or boot lid, plate. Alpha is how little it mirrors."""
    h, w = 128, 256
    image = patterns.solid(h, w, (1, 1, 1), 0.55)
    dark, chrome = (0.09, 0.09, 0.10, 0.6), (0.72, 0.73, 0.75, 0.3)
    cv2.rectangle(image, (0, 100), (w, h), dark, -1)
    if front:
        cv2.rectangle(image, (84, 34), (172, 58), dark, -1)
        for y in range(38, 58, 6):
            cv2.line(image, (86, y), (170, y), chrome, 1)
        cv2.ellipse(image, (128, 46), (7, 7), 0, 0, 360, chrome, -1, cv2.LINE_AA)
        cv2.rectangle(image, (70, 86), (186, 98), dark, -1)
        for x in (42, 214):
            cv2.ellipse(image, (x, 44), (30, 15), 0, 0, 360, (0.30, 0.31, 0.33, 0.2), -1, cv2.LINE_AA)
            cv2.ellipse(image, (x, 44), (27, 12), 0, 0, 360, (0.86, 0.89, 0.93, 0.2), -1, cv2.LINE_AA)
            cv2.circle(image, (x, 44), 8, (0.98, 0.98, 0.96, 0.2), -1, cv2.LINE_AA)
            cv2.circle(image, (x, 92), 6, (0.7, 0.7, 0.7, 0.3), -1, cv2.LINE_AA)
    else:
        cv2.line(image, (40, 26), (216, 26), (0.5, 0.5, 0.5, 0.6), 2)
        cv2.line(image, (40, 84), (216, 84), (0.45, 0.45, 0.45, 0.6), 2)
        for x in (24, 232):
            cv2.rectangle(image, (x - 22, 24), (x + 22, 58), (0.58, 0.07, 0.08, 0.35), -1)
            cv2.rectangle(image, (x - 22, 44), (x + 22, 50), (0.86, 0.72, 0.66, 0.3), -1)
            cv2.rectangle(image, (x - 14, 29), (x + 14, 40), (0.80, 0.12, 0.10, 0.3), -1)
    cv2.rectangle(image, (92, 64), (164, 82), (0.93, 0.93, 0.90, 1) if front else (0.92, 0.78, 0.16, 1), -1)
    patterns.write(image, "EK07 SGM", (95, 78), 0.46, (0.1, 0.1, 0.1, 1), 1)
    return image


def _wheel() -> np.ndarray:
    image = patterns.solid(64, 64, (0.10, 0.10, 0.11))
    cv2.circle(image, (32, 32), 21, (0.64, 0.65, 0.67, 1), -1)
    for k in range(5):
        angle = 2 * np.pi * k / 5
        tip = int(32 + 14 * np.cos(angle)), int(32 + 14 * np.sin(angle))
        cv2.circle(image, tip, 5, (0.17, 0.17, 0.18, 1), -1)
    cv2.circle(image, (32, 32), 4, (0.4, 0.4, 0.42, 1), -1)
    return image


def _spokes() -> np.ndarray:
    image = patterns.solid(128, 128, (0.55, 0.55, 0.57), 0)
    for k in range(9):
        angle = 2 * np.pi * k / 9
        tip = int(64 + 54 * np.cos(angle)), int(64 + 54 * np.sin(angle))
        cv2.line(image, (64, 64), tip, (0.6, 0.6, 0.62, 1), 1)
    cv2.circle(image, (64, 64), 55, (0.5, 0.5, 0.52, 1), 3)
    cv2.circle(image, (64, 64), 59, (0.09, 0.09, 0.09, 1), 7)
    cv2.circle(image, (64, 64), 5, (0.3, 0.3, 0.3, 1), -1)
    return image


def _panel() -> np.ndarray:
    """A car's flank: two doors, handles, sill."""
    image = patterns.solid(64, 256, (1, 1, 1), 0.55)
    for x in (74, 132, 186):
        image[4:52, x : x + 2, :3] = 0.35
    for x in (84, 140):
        image[12:15, x : x + 12, :3] = 0.3
    image[52:, :, :3] *= 0.4
    image[26:28, :, :3] *= 0.9
    return image


def _glass() -> np.ndarray:
    """A car's window: dark, darker towards the sill."""
    image = patterns.solid(64, 64, (0.15, 0.165, 0.18), 0.1)
    image[:, :, :3] *= np.linspace(1.15, 0.85, 64, dtype=np.float32)[:, None, None]
    return image


def _signs() -> list[np.ndarray]:
    """Signs at 128 x 128 with alpha: limits, triangles, arrows, and plates with words."""
    white, red, blue, black = (0.95, 0.95, 0.94, 1), (0.80, 0.08, 0.10, 1), (0.06, 0.26, 0.62, 1), (0.06, 0.06, 0.07, 1)
    blank = [patterns.solid(128, 128, (0.6, 0.6, 0.6), 0) for _ in range(SIGNS)]
    for image, limit in zip(blank[:2], ("30", "20"), strict=True):
        cv2.circle(image, (64, 64), 60, red, -1)
        cv2.circle(image, (64, 64), 46, white, -1)
        patterns.write(image, limit, (27, 83), 1.9, black, 4)
    cv2.circle(blank[2], (64, 64), 60, red, -1)
    cv2.rectangle(blank[2], (22, 52), (106, 76), white, -1)
    for image, flip in ((blank[3], 1), (blank[4], -1)):
        corners = np.array([[64, 64 - 58 * flip], [124, 64 + 48 * flip], [4, 64 + 48 * flip]])
        inner = ((corners - corners.mean(0)) * 0.66 + corners.mean(0)).astype(np.int32)
        cv2.fillPoly(image, [corners], red)
        cv2.fillPoly(image, [inner], white)
    cv2.ellipse(blank[3], (64, 66), (6, 6), 0, 0, 360, black, -1)
    cv2.line(blank[3], (64, 74), (58, 98), black, 7)
    cv2.line(blank[3], (64, 74), (72, 98), black, 7)
    cv2.circle(blank[5], (64, 64), 60, blue, -1)
    cv2.arrowedLine(blank[5], (36, 36), (92, 92), white, 12, tipLength=0.4)
    cv2.rectangle(blank[6], (12, 6), (116, 122), blue, -1)
    patterns.write(blank[6], "P", (36, 98), 3.2, white, 8)
    for image, colour, words in (
        (blank[7], (0.04, 0.34, 0.22, 1), ("City", "centre", "A10")),
        (blank[8], (0.95, 0.95, 0.93, 1), ("MILL", "ROAD", "CB1")),
        (blank[9], (0.90, 0.62, 0.08, 1), ("ROAD", "WORKS", "AHEAD")),
    ):
        cv2.rectangle(image, (0, 0), (128, 128), colour, -1)
        ink = black if sum(colour[:3]) > 1.5 else white
        cv2.rectangle(image, (4, 4), (123, 123), ink, 3)
        for line, word in enumerate(words):
            patterns.write(image, word, (12, 42 + 36 * line), 0.98, ink, 2)
    return blank
