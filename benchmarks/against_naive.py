"""What the loop buys: the same weights on the same clip, as a user writes it today and as edgeseg runs it.

    python benchmarks/against_naive.py [--model NAME] [--frames N] [--repeats N] [--clip FILE]

Every row reads a 1280x720 H.264 clip, computes the label map at the frame's size and paints it over the frame. Rows take
turns, so that a drifting machine hurts all alike; medians over the repeats. Prints Markdown for docs/results.md.
"""

from __future__ import annotations

import argparse
import datetime
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from clips import FramesInMemory, rendered_clip, rendered_frames
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import edgeseg
from edgeseg.core.catalog import open_bundle
from edgeseg.core.masks import SemanticMask
from edgeseg.models import build_model
from edgeseg.models.folding import HALF
from edgeseg.runtime.choose import choose, open_engine
from edgeseg.runtime.cpu import cpu_name, usable_cores
from edgeseg.runtime.segmenter import SemanticSegmenter
from edgeseg.streaming.sources.video import VideoSource
from edgeseg.vision.decode import decode
from edgeseg.vision.fit import stretch
from edgeseg.vision.overlay import paint

MEAN = np.array([123.675, 116.28, 103.53], dtype=np.float32)
STD = np.array([58.395, 57.12, 57.375], dtype=np.float32)
Loop = Callable[[Path], tuple[int, NDArray[np.uint8]]]


def full_size_session(bundle: edgeseg.Bundle, height: int, width: int, threads: int) -> onnxruntime.InferenceSession:
    """The bundle's FP32 graph as it is usually exported: normalised float NCHW in, logits at full size out."""
    model = onnx.shape_inference.infer_shapes(onnx.load(str(bundle.file(bundle.graphs["fp32"]))))
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    wanted = [output.name for output in model.graph.output]
    model = onnx.utils.Extractor(model).extract_model([first.input[0]], wanted)
    # The bundle's convolutions on the image read BGR, the usual export's read RGB.
    on_image = {
        node.input[1] for node in model.graph.node if node.op_type == "Conv" and node.input[0] == first.input[0]
    }
    for weight in model.graph.initializer:
        if weight.name.removesuffix(HALF) in on_image:
            rgb = np.ascontiguousarray(numpy_helper.to_array(weight)[:, ::-1])
            weight.CopyFrom(numpy_helper.from_array(rgb, weight.name))
    model.graph.initializer.append(
        numpy_helper.from_array(np.array([1, 1, *_scales(bundle, height, width)], np.float32), "scales")
    )
    model.graph.node.append(
        helper.make_node(
            "Resize", [wanted[0], "", "scales"], ["full"], mode="linear", coordinate_transformation_mode="half_pixel"
        )
    )
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("full", TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _scales(bundle: edgeseg.Bundle, height: int, width: int) -> tuple[float, float]:
    return height * bundle.stride / bundle.height, width * bundle.stride / bundle.width


def naive_preprocess(frame: NDArray[np.uint8], bundle: edgeseg.Bundle) -> NDArray[np.float32]:
    """Resize, BGR to RGB, normalise, HWC to NCHW: the lines that stand in every tutorial."""
    image = cv2.cvtColor(cv2.resize(frame, (bundle.width, bundle.height)), cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(((image.astype(np.float32) - MEAN) / STD).transpose(2, 0, 1)[None])


def naive_loop(
    bundle: edgeseg.Bundle, infer: Callable[[NDArray[np.float32], tuple[int, int]], NDArray[np.int64]]
) -> Loop:
    """cv2 read, numpy preprocessing, `infer` to labels at full size, palette, addWeighted, one after the other."""
    palette = np.array(bundle.palette, dtype=np.uint8)[:, ::-1]

    def run(clip: Path) -> tuple[int, NDArray[np.uint8]]:
        capture, count, labels = cv2.VideoCapture(str(clip)), 0, np.zeros((0, 0), np.int64)
        while True:
            there, frame = capture.read()
            if not there:
                return count, labels.astype(np.uint8)
            labels = infer(naive_preprocess(np.asarray(frame, np.uint8), bundle), frame.shape[:2])
            cv2.addWeighted(frame, 0.5, palette[labels], 0.5, 0)
            count += 1

    return run


def naive_onnxruntime(bundle: edgeseg.Bundle, threads: int) -> Loop:
    """The naive loop on ONNX Runtime with full-size logits and np.argmax."""
    session = full_size_session(bundle, 720, 1280, threads)
    name = session.get_inputs()[0].name
    return naive_loop(bundle, lambda x, _: np.argmax(np.asarray(session.run(None, {name: x})[0]), axis=1)[0])


def torch_eager(bundle: edgeseg.Bundle) -> Loop:
    """The naive loop on torch, eager, FP32. Its weights are random: torch's speed does not depend on them."""
    network = build_model(bundle.architecture, len(bundle.classes)).eval()

    def infer(x: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.int64]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(x))
            return torch.nn.functional.interpolate(logits, size=size, mode="bilinear").argmax(1)[0].numpy()

    return naive_loop(bundle, infer)


def ours(bundle: edgeseg.Bundle, engine: str, precision: str, threads: int, busy_ms: list[float]) -> Loop:
    """edgeseg's own loop, painting every result. busy_ms takes the engine stage's times in it."""
    model = SemanticSegmenter(bundle, open_engine(bundle, choose(bundle, engine, precision), threads))

    def run(clip: Path) -> tuple[int, NDArray[np.uint8]]:
        count, labels = 0, np.zeros((0, 0), np.uint8)
        for result in edgeseg.stream(VideoSource(clip), model):
            assert isinstance(result.masks, SemanticMask)
            labels = result.masks.labels
            busy_ms.append(result.timing.stage_ms["engine"])
            paint(result.frame.image, labels, bundle.palette)
            count += 1
        return count, labels

    return run


def engine_ms(bundle: edgeseg.Bundle, engine: str, precision: str, threads: int, image: NDArray[np.uint8]) -> float:
    """Median milliseconds of the engine alone on one fitted frame, nothing else running."""
    fitted, times = stretch(image, bundle.width, bundle.height), []
    with open_engine(bundle, choose(bundle, engine, precision), threads) as opened:
        for _ in range(300):
            begin = time.perf_counter()
            opened.infer(fitted)
            times.append(time.perf_counter() - begin)
    return 1000 * statistics.median(times)


def core_ms(work: Callable[[NDArray[np.uint8]], object], images: list[NDArray[np.uint8]]) -> float:
    """Median milliseconds of CPU time of this thread that `work` takes on a frame."""
    times = []
    for _ in range(10):
        for image in images:
            begin = time.thread_time()
            work(image)
            times.append(time.thread_time() - begin)
    return 1000 * statistics.median(times)


def variants() -> list[tuple[str, str, int, str]]:
    """engine, precision, threads and name of every row of ours."""
    cores = usable_cores()
    kinds = (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"))
    uses = ((max(1, cores - 1), "cores-1"), (cores, "all cores"))
    return [(e, p, threads, f"edgeseg, {e} {p}, {use}") for e, p in kinds for threads, use in uses]


def loops_table(bundle: edgeseg.Bundle, clip: Path, repeats: int, busy_ms: dict[str, list[float]]) -> dict[str, float]:
    """Prints FPS of every loop, taking turns, and returns it by name. busy_ms takes the engine's times in our loops."""
    rows: dict[str, Loop] = {
        "torch eager loop": torch_eager(bundle),
        "naive ONNX Runtime loop": naive_onnxruntime(bundle, usable_cores()),
    }
    for engine, precision, threads, name in variants():
        rows[name] = ours(bundle, engine, precision, threads, busy_ms.setdefault(name, []))
    fps: dict[str, list[float]] = {name: [] for name in rows}
    last: dict[str, NDArray[np.uint8]] = {}
    for repeat in range(repeats + 1):
        for name, run in rows.items():
            begin = time.perf_counter()
            count, last[name] = run(clip)
            if repeat:  # the first turn warms up
                fps[name].append(count / (time.perf_counter() - begin))
    medians = {name: statistics.median(values) for name, values in fps.items()}
    naive, eager = medians["naive ONNX Runtime loop"], medians["torch eager loop"]
    print(
        "| end to end, 1280x720 H.264 | FPS | range | over naive | over torch eager | labels as naive |\n|---|---|---|---|---|---|"
    )
    for name, value in medians.items():
        same = (
            "random weights"
            if name == "torch eager loop"
            else f"{100 * np.mean(last[name] == last['naive ONNX Runtime loop']):.2f}%"
        )
        spread = f"{min(fps[name]):.1f} to {max(fps[name]):.1f}"
        print(f"| {name} | {value:.1f} | {spread} | {value / naive:.2f}x | {value / eager:.2f}x | {same} |")
    return medians


def overhead_table(bundle: edgeseg.Bundle, images: list[NDArray[np.uint8]], clip: Path) -> float:
    """Prints what a frame costs beside the network, in core-ms, and returns the sum with decoding."""
    with edgeseg.load(bundle.path, engine="onnxruntime", precision="fp32") as model:
        labels = model(images[0]).labels
        fit, infer, _ = model.stages
        logits = infer.run(fit.run(images[0])).array
    begin, count = time.thread_time(), sum(1 for _ in VideoSource(clip))
    parts = {
        "decode": 1000 * (time.thread_time() - begin) / count,
        "fit": core_ms(lambda image: stretch(image, bundle.width, bundle.height), images),
        "tail": core_ms(lambda _: decode(logits, 720, 1280), images),
        "paint": core_ms(lambda image: paint(image, labels, bundle.palette), images),
    }
    rest = sum(parts.values()) - parts["decode"]
    print("\n| beside the network, a 720p frame | core-ms |\n|---|---|")
    for name, value in parts.items():
        print(f"| {name} | {value:.2f} |")
    print(f"| fit + tail + paint | {rest:.2f} |")
    return rest + parts["decode"]


def ceiling_table(
    bundle: edgeseg.Bundle,
    fps: dict[str, float],
    busy_ms: dict[str, list[float]],
    image: NDArray[np.uint8],
    overhead: float,
) -> None:
    """Prints how near end to end comes to what the engine, and the cores, allow.

    On cores-1 the engine alone, or the other work on the one core left, is the bound; on all cores the sum of both is:
    E core-ms of engine, O of the rest.
    """
    print(
        "\n| engine | threads | engine on an idle machine, ms | in the loop, ms | ceiling, FPS | end to end, FPS | reached |"
    )
    print("|---|---|---|---|---|---|---|")
    for engine, precision, threads, name in variants():
        alone = engine_ms(bundle, engine, precision, threads, image)
        spent = alone * threads
        if threads < usable_cores():
            ceiling = 1000 / max(alone, overhead / (usable_cores() - threads))
        else:
            ceiling = 1000 / alone * spent / (spent + overhead)
        row = f"{alone:.2f} | {statistics.median(busy_ms[name]):.2f} | {ceiling:.1f} | {fps[name]:.1f}"
        print(f"| {engine} {precision} | {threads} | {row} | {fps[name] / ceiling:.3f} |")


class SlowedEngine:
    """A real engine that computes each frame several times over, to stand for a larger network."""

    def __init__(self, engine: edgeseg.runtime.engine.Engine, times: int) -> None:  # type: ignore[name-defined]
        self.info, self._engine, self._times = engine.info, engine, times

    def infer(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        for _ in range(self._times - 1):
            self._engine.infer(image)
        return self._engine.infer(image)

    def close(self) -> None:
        self._engine.close()


def live_age(bundle: edgeseg.Bundle, images: list[NDArray[np.uint8]]) -> None:
    """Prints the age of results from a 30 FPS camera where the engine needs about two frames' time."""
    threads = max(1, usable_cores() - 1)
    alone = engine_ms(bundle, "onnxruntime", "fp32", threads, images[0])
    slowed = SlowedEngine(
        open_engine(bundle, choose(bundle, "onnxruntime", "fp32"), threads), max(1, math.ceil(59 / alone))
    )
    model = SemanticSegmenter(bundle, slowed)  # type: ignore[arg-type]
    ages, engine = [], []
    with edgeseg.stream(FramesInMemory(images, 900, fps=30), model) as results:
        for result in results:
            ages.append(result.latency_ms)
            engine.append(result.timing.stage_ms["engine"])
    (a50, a99), e50 = np.percentile(ages[5:], [50, 99]), float(np.median(engine))
    print(
        f"\nLive at 30 FPS, engine {e50:.1f} ms: age p50 {a50:.1f} ms ({a50 / e50:.2f}x), p99 {a99:.1f} ms ({a99 / e50:.2f}x), "
        f"{results.ledger.counts().delivered} of {results.ledger.counts().captured} delivered"
    )


def main() -> None:
    """Runs all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fast-scnn-street")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clip", type=Path, help="an H.264 clip of 1280x720 (else the street is rendered)")
    options = parser.parse_args()
    torch.set_num_threads(usable_cores())
    bundle = open_bundle(options.model)
    images = rendered_frames(30)
    clip = options.clip or rendered_clip(
        Path(tempfile.gettempdir()) / f"edgeseg-street-{options.frames}.mp4", options.frames
    )
    print(
        f"{bundle.name}, {cpu_name()}, {usable_cores()} cores, {datetime.date.today()}, "
        f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}\n"
    )
    busy_ms: dict[str, list[float]] = {}
    fps = loops_table(bundle, clip, options.repeats, busy_ms)
    overhead = overhead_table(bundle, images, clip)
    ceiling_table(bundle, fps, busy_ms, images[0], overhead)
    live_age(bundle, images)


if __name__ == "__main__":
    main()
