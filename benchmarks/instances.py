"""What masks of many things cost beside the network: to make them and to draw them, ours beside others', on the same things.

    python benchmarks/instances.py [--model NAME] [--things 50] [--repeats 30]

The things are a model's surest on a frame of the street, however unsure, so that their shapes and sizes are real. Rows take
turns; medians of CPU time over all threads, in core-ms a 1280x720 frame. supervision's rows need it here (`pip install
supervision`) and are left out where it is not. Prints Markdown for docs/results.md.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import statistics
import time
from collections.abc import Callable
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeseg.core.catalog import open_bundle
from edgeseg.core.cutouts import Cutouts
from edgeseg.core.masks import InstanceMasks
from edgeseg.runtime.choose import choose as choose_engine
from edgeseg.runtime.choose import open_engine
from edgeseg.runtime.cpu import cpu_name
from edgeseg.runtime.instances import InstanceSegmenter, Outputs
from edgeseg.synthetic import Street
from edgeseg.vision.instances import CANDIDATES, Candidates, assemble, choose, find_things
from edgeseg.vision.overlay import paint_instances

HEIGHT, WIDTH = 720, 1280


def network_outputs(name: str, image: NDArray[np.uint8], wanted: int) -> tuple[Outputs, tuple[str, ...]]:
    """What the network says of the image, with no score but those of its `wanted` surest things; and its classes."""
    bundle = open_bundle(name)
    with InstanceSegmenter(bundle, open_engine(bundle, choose_engine(bundle, "onnxruntime", "fp32"), 1)) as model:
        outputs = model.outputs(image)
    found = choose(outputs.boxes, outputs.scores, HEIGHT, WIDTH, threshold=0, most=CANDIDATES)
    cutouts = assemble(outputs.coefficients[found.anchors], outputs.prototypes, found.windows, HEIGHT, WIDTH)
    shown = np.flatnonzero([cutout.any() for cutout in cutouts])[:wanted]
    if len(shown) < wanted:
        raise SystemExit(f"{name} has {len(shown)} things to show, not {wanted}: give fewer --things")
    scores = np.zeros_like(outputs.scores)
    scores[found.anchors[shown], found.labels[shown]] = found.scores[shown]
    return outputs._replace(scores=scores), bundle.classes


def naive_masks(outputs: Outputs, found: Candidates) -> NDArray[np.bool_]:
    """bool [N, H, W] of the same things by the lines that stand in most ports: multiply, sigmoid, resize, threshold, crop."""
    logits = np.tensordot(outputs.coefficients[found.anchors], outputs.prototypes, axes=1)
    masks = np.zeros((len(logits), HEIGHT, WIDTH), bool)
    for mask, soft, (x0, y0, x1, y1) in zip(masks, 1 / (1 + np.exp(-logits)), found.windows.tolist(), strict=True):
        whole = np.asarray(cv2.resize(soft, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)) > 0.5
        mask[y0:y1, x0:x1] = whole[y0:y1, x0:x1]
    return masks


def supervisions_rows(
    supervision: ModuleType, image: NDArray[np.uint8], things: InstanceMasks
) -> dict[str, Callable[[], object]]:
    """Its annotators on the same masks, which it takes in whole."""
    detections = supervision.Detections(**things.to_supervision())
    fill, outline = supervision.MaskAnnotator(), supervision.PolygonAnnotator()
    return {
        "supervision: MaskAnnotator": lambda: fill.annotate(image.copy(), detections),
        "supervision: PolygonAnnotator": lambda: outline.annotate(image.copy(), detections),
        "supervision: both": lambda: outline.annotate(fill.annotate(image.copy(), detections), detections),
    }


def core_ms(rows: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median milliseconds of CPU time of each row."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for repeat in range(repeats + 1):
        for name, work in rows.items():
            begin = time.process_time()
            work()
            if repeat:  # the first turn compiles
                times[name].append(1000 * (time.process_time() - begin))
    return {name: statistics.median(values) for name, values in times.items()}


def installed_supervision() -> ModuleType | None:
    """supervision, or None where it is not installed."""
    try:
        return importlib.import_module("supervision")
    except ImportError:
        return None


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="yolact-mobilenetv2-street")
    parser.add_argument("--things", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=30)
    chosen = parser.parse_args()
    image = Street(1, WIDTH, HEIGHT).render(240).image
    outputs, classes = network_outputs(chosen.model, image, chosen.things)
    palette = open_bundle(chosen.model).palette

    def find() -> InstanceMasks:
        found = find_things(*outputs, HEIGHT, WIDTH, threshold=0, most=chosen.things)
        cutouts = Cutouts(found.windows, found.cutouts, HEIGHT, WIDTH)
        return InstanceMasks(cutouts, found.boxes, found.scores, found.labels, classes)

    found, things = choose(outputs.boxes, outputs.scores, HEIGHT, WIDTH, threshold=0, most=chosen.things), find()
    rows: dict[str, Callable[[], object]] = {
        "edgeseg: NMS and masks": find,
        "edgeseg: fill and outline": lambda: paint_instances(image, things, palette),
        "edgeseg: both": lambda: paint_instances(image, find(), palette),
        "edgeseg: masks in whole": lambda: things.cutouts.whole(),
        "multiply, sigmoid, resize, crop": lambda: naive_masks(outputs, found),
    }
    supervision = installed_supervision()
    if supervision is not None:
        rows |= supervisions_rows(supervision, image, things)
    versions = f"numpy {np.__version__}, OpenCV {cv2.__version__}"
    versions += f", supervision {supervision.__version__}" if supervision else ""
    share = things.cutouts.areas().sum() / (WIDTH * HEIGHT)
    print(f"{chosen.model}, {cpu_name()}, {datetime.date.today()}, {versions}\n")
    print(f"{len(things)} things of a 1280x720 frame; their masks add up to {100 * share:.0f} % of it.")
    equal = np.mean(naive_masks(outputs, found) == things.masks)
    print(f"Masks as multiply, sigmoid, resize, crop: {100 * equal:.3f} % of the pixels.\n")
    medians = core_ms(rows, chosen.repeats)
    print("| | core-ms | over edgeseg: both |\n|---|---|---|")
    for name, value in medians.items():
        print(f"| {name} | {value:.2f} | {value / medians['edgeseg: both']:.2f}x |")
    if supervision is None:
        print("\nsupervision is not installed here, so that its rows are missing: pip install supervision")


if __name__ == "__main__":
    main()
