"""How much of a model's mIoU is left where images are worse: blurred, noisy, dark, in rain, compressed.

In the manner of ImageNet-C (Hendrycks and Dietterich, ICLR 2019): five strengths of each, deterministic from the image's
number. The corruptions are our own and milder than theirs at strength 1, so that figures are not comparable with theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.data.samples import Samples
from edgeseg.profile.rows import Robustness
from edgeseg.runtime.semantic import SemanticSegmenter
from edgeseg.vision.metrics import ConfusionMatrix

Image = NDArray[np.uint8]

BLUR = (0.002, 0.004, 0.006, 0.009, 0.013)
"""Standard deviation of a Gaussian, in shares of the image's diagonal."""
NOISE = (6, 12, 20, 32, 48)
"""Standard deviation of Gaussian noise, in levels of 255."""
DARK = (0.7, 0.5, 0.35, 0.22, 0.12)
"""Exposure, with the noise of a sensor that saw so little: 4 levels at any of them."""
RAIN = (0.001, 0.002, 0.004, 0.007, 0.011)
"""Streaks a pixel of a picture of 640x360, behind a veil of grey."""
JPEG = (40, 25, 15, 9, 5)
"""OpenCV's quality."""

STRENGTHS: dict[str, list[str]] = {
    "blur": [f"sigma {100 * share:g} % of the diagonal" for share in BLUR],
    "noise": [f"sigma {level} of 255" for level in NOISE],
    "dark": [f"exposure x {share:g}" for share in DARK],
    "rain": [f"{round(share * 640 * 360)} streaks on 640x360" for share in RAIN],
    "jpeg": [f"quality {quality}" for quality in JPEG],
}


def measure_robustness(
    segmenter: SemanticSegmenter, samples: Samples, progress: Callable[[int], object] = lambda done: None
) -> Robustness:
    """Returns mIoU of the images as they are and under each corruption. progress: called with the images done."""
    bundle = segmenter.bundle
    clean = ConfusionMatrix(bundle.classes)
    worse = {name: [ConfusionMatrix(bundle.classes) for _ in range(5)] for name in STRENGTHS}
    for number in range(len(samples)):
        _, image, labels = samples[number]
        clean.add(labels, segmenter(image).labels, bundle.ignore_id)
        for name, matrices in worse.items():
            for strength, matrix in enumerate(matrices, start=1):
                altered = corrupt(image, name, strength, number)
                matrix.add(labels, segmenter(altered).labels, bundle.ignore_id)
        progress(number + 1)
    return {
        "images": len(samples),
        "clean": clean.miou(),
        "corrupted": {name: [matrix.miou() for matrix in matrices] for name, matrices in worse.items()},
        "strengths": STRENGTHS,
    }


def corrupt(image: Image, name: str, strength: int, seed: int) -> Image:
    """Returns the image, uint8 [H, W, 3], made worse: `name` of STRENGTHS, `strength` 1..5; always the same for a seed."""
    random = np.random.default_rng((seed, strength))
    step = strength - 1
    match name:
        case "blur":
            sigma = BLUR[step] * float(np.hypot(*image.shape[:2]))
            return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
        case "noise":
            return _bytes(image + random.normal(0, NOISE[step], image.shape).astype(np.float32))
        case "dark":
            return _bytes(image * np.float32(DARK[step]) + random.normal(0, 4, image.shape).astype(np.float32))
        case "rain":
            return _rain(image, RAIN[step], random)
        case _:
            _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG[step]])
            return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _rain(image: Image, share: float, random: np.random.Generator) -> Image:
    """Slanted bright streaks, softened, over a picture that a veil has greyed."""
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.uint8)
    scale = height / 360
    slant = random.uniform(-0.3, 0.3)
    for x, y, length in zip(
        random.integers(0, width, count := round(share * 640 * 360)),
        random.integers(0, height, count),
        random.uniform(8, 26, count) * scale,
        strict=True,
    ):
        end = (int(x + slant * length), int(y + length))
        cv2.line(streaks, (int(x), int(y)), end, 255, max(1, round(scale)), cv2.LINE_AA)
    cover = 0.55 * cv2.GaussianBlur(streaks, (0, 0), 0.6 * scale).astype(np.float32)[..., None] / 255
    veil = np.float32(min(0.45, 45 * share))
    greyed = image * (1 - veil) + 150 * veil
    return _bytes(greyed * (1 - cover) + 225 * cover)


def _bytes(values: NDArray[np.floating]) -> Image:
    return np.clip(values, 0, 255).round().astype(np.uint8)
