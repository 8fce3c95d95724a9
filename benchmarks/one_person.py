"""How well a model that knows persons sees the one person in a picture, which is what a webcam shows.

    python benchmarks/one_person.py coco:DIR [--split val] [--model bisenet-mobilenetv2-person]

IoU of "person", pooled over the pixels of all images with exactly one annotated person and no crowd.
"""

from __future__ import annotations

import argparse

import numpy as np

import edgeseg
from edgeseg.core.classes import IGNORE_ID
from edgeseg.data.instance_samples import open_instances
from edgeseg.data.samples import open_samples


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--split", default="val")
    parser.add_argument("--model", default="bisenet-mobilenetv2-person")
    chosen = parser.parse_args()
    things, maps = open_instances(chosen.data, chosen.split), open_samples(chosen.data, chosen.split)
    both = either = 0
    shares: list[float] = []
    with edgeseg.load(chosen.model, engine="onnxruntime", precision="fp32") as model:
        for index in range(len(maps)):
            (_, image, labels), (_, _, persons) = maps[index], things[index]
            if len(persons) != 1 or persons.crowd.any():
                continue
            judged = labels != IGNORE_ID
            answer, truth = model(image).of("person") & judged, (labels == 1) & judged
            shared, covered = np.count_nonzero(answer & truth), np.count_nonzero(answer | truth)
            both, either = both + shared, either + covered
            shares.append(shared / max(covered, 1))
    print(f"{len(shares)} images: IoU {both / either:.3f} pooled, {np.median(shares):.3f} at the median image")


if __name__ == "__main__":
    main()
