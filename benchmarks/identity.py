"""How well ids stay with their things on the rendered street, where the truth is known.

    python benchmarks/identity.py [MODEL] [--fps 10] [--least 100]

With a model: its things, by the tracker of every stream. Without: things of a detector that misses one in ten, whose
boxes and masks tremble, and that sees something where there is nothing in three frames of ten, so that the tracker is
judged alone; its numbers were chosen on the seeds 1 to 4, not on those here. F1 is what IDF1 would be with perfect ids.
What shows less than `least` pixels, of 640 x 360, is not judged; unmatched answers of fewer pixels aren't, either.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

import edgeseg
from edgeseg.core.masks import InstanceMasks
from edgeseg.evaluate.identity import Identity, street_truth
from edgeseg.synthetic import Street
from edgeseg.vision.tracking import Tracker

SEEDS = (1001, 1002, 1003, 1004)
WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 30, 10
MISSED, TREMBLE, FALSE = 0.1, 0.05, 0.3

Detector = Callable[[NDArray[np.uint8], InstanceMasks], InstanceMasks]
"""From an image and what is truly there to what is answered."""


def simulated(rng: np.random.Generator, image: NDArray[np.uint8], truth: InstanceMasks) -> InstanceMasks:
    """Returns the truth as a detector might see it."""
    found = np.flatnonzero(rng.random(len(truth)) >= MISSED)
    boxes = truth.boxes[found]
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1, keepdims=True))
    shifts = np.rint(rng.normal(0, TREMBLE / 2, (len(found), 2)) * size).astype(int)
    masks = [np.roll(truth.masks[thing], shift, (0, 1)) for thing, shift in zip(found, shifts, strict=True)]
    boxes = boxes + rng.normal(0, TREMBLE, boxes.shape) * size
    scores = rng.normal(0.7, 0.2, len(found)).clip(0.3, 1)
    labels = truth.labels[found]
    for _ in range(rng.poisson(FALSE)):
        x, y, wide = rng.uniform(0, WIDTH - 20), rng.uniform(0.3 * HEIGHT, HEIGHT - 20), rng.uniform(10, 80)
        box = np.array([x, y, min(x + wide, WIDTH), min(y + wide * rng.uniform(0.5, 2), HEIGHT)])
        x0, y0, x1, y1 = box.astype(int)
        masks.append(np.zeros((HEIGHT, WIDTH), bool))
        masks[-1][y0:y1, x0:x1] = True
        boxes = np.vstack([boxes, box])
        scores, labels = np.append(scores, rng.uniform(0.3, 0.7)), np.append(labels, rng.integers(3))
    return InstanceMasks(
        np.array(masks, bool).reshape(-1, HEIGHT, WIDTH),
        boxes.astype(np.float32),
        scores.astype(np.float32),
        labels.astype(np.uint8),
        truth.classes,
    )


def answered(model: edgeseg.Segmenter, image: NDArray[np.uint8], truth: InstanceMasks) -> InstanceMasks:
    """Returns what a model answers."""
    answer = model(image)
    if not isinstance(answer, InstanceMasks) or answer.classes != truth.classes:
        raise SystemExit(f"{model.bundle.name} does not tell {', '.join(truth.classes)} apart: give a model that does")
    return answer


def drive(seed: int, detect: Detector, fps: int, least: int, identities: tuple[Identity, ...]) -> None:
    """Adds the frames of one drive to each of `identities`."""
    street, tracker = Street(seed, WIDTH, HEIGHT, FPS), Tracker()
    for index in range(0, SECONDS * FPS, FPS // fps):
        view = street.render(index)
        truth, unjudged = street_truth(view, least)
        asked = replace(truth.chosen(~unjudged), ids=None)
        answer = tracker(detect(view.image, asked), index / FPS)
        for identity in identities:
            identity.add(truth, answer, unjudged)
    for identity in identities:
        identity.next_stream()


def main() -> None:
    """Prints a row a seed, and one of all together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--fps", type=int, default=FPS)
    parser.add_argument("--least", type=int, default=100)
    chosen = parser.parse_args()
    detect: Detector = partial(simulated, np.random.default_rng(0))
    if chosen.model:
        detect = partial(answered, edgeseg.load(chosen.model))
    print(
        "| street | IDF1 | F1 | ID precision | ID recall | MOTA | switches | fragmentations | true tracks |\n|"
        + "---|" * 9
    )
    together = Identity(chosen.least)
    for seed in SEEDS:
        alone = Identity(chosen.least)
        drive(seed, detect, chosen.fps, chosen.least, (alone, together))
        report(str(seed), alone)
    report("all", together)


def report(name: str, identity: Identity) -> None:
    """Prints a row."""
    said = identity.figures()
    shares = " | ".join(f"{100 * said[key]:.1f}" for key in ("idf1", "f1", "id_precision", "id_recall", "mota"))
    counts = " | ".join(str(said[key]) for key in ("switches", "fragmentations", "tracks"))
    print(f"| {name} | {shares} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
