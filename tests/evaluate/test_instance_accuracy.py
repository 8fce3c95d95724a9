"""Average precision is pycocotools' own, told from arrays; hand-made cases have the figures that a person expects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgeseg.cli import main
from edgeseg.core import rle
from edgeseg.core.errors import UsageError
from edgeseg.data.instances import Instances, mask_boxes
from edgeseg.evaluate.instance_accuracy import AveragePrecision, class_map, judge_instances
from edgeseg.runtime.segmenter import InstanceSegmenter, load
from edgeseg.synthetic import Street
from tests.runtime.coloured_halves import BLUE, CLASSES, RED, scene, write

Kind = Literal["segm", "bbox"]
KINDS: tuple[Kind, ...] = ("segm", "bbox")
Answer = tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32], NDArray[np.integer]]


def squares(*corners: tuple[int, int], side: int = 40) -> NDArray[np.bool_]:
    """Squares of `side` pixels by their upper left corners (x, y), in a frame of 160 x 200: bool [N, 160, 200]."""
    masks = np.zeros((len(corners), 160, 200), bool)
    for mask, (x, y) in zip(masks, corners, strict=True):
        mask[y : y + side, x : x + side] = True
    return masks


def things(masks: NDArray[np.bool_], labels: list[int] | None = None, crowd: list[bool] | None = None) -> Instances:
    count = len(masks)
    return Instances(masks, np.array(labels or [0] * count, np.int64), np.array(crowd or [False] * count, bool))


def answered(masks: NDArray[np.bool_], scores: list[float] | None = None, labels: list[int] | None = None) -> Answer:
    count = len(masks)
    said = np.array(scores or [0.9] * count, np.float32), np.array(labels or [0] * count, np.uint8)
    return masks, mask_boxes(masks), *said


def figures(truth: Instances, answer: Answer, classes: tuple[str, ...] = ("car", "person")) -> dict[str, Any]:
    precision = AveragePrecision(classes)
    precision.add(truth, *answer)
    return precision.figures()


THREE = squares((10, 10), (80, 10), (10, 100))


def test_the_truth_itself_is_perfect() -> None:
    said = figures(things(THREE, [0, 0, 1]), answered(THREE, labels=[0, 0, 1]))
    assert said["mask_ap"] == said["mask_ap50"] == said["box_ap"] == said["box_ap75"] == pytest.approx(1)
    assert said["per_class"] == pytest.approx({"car": 1, "person": 1})
    # A square of 40 pixels is medium to COCO, of which there is no other size here.
    assert (said["mask_ap_small"], said["mask_ap_medium"], said["mask_ap_large"]) == (None, pytest.approx(1), None)
    assert (said["things"], said["answers"]) == (3, 3)


def test_shifted_masks_count_up_to_their_overlap() -> None:
    # 40 x 40 shifted by 5 columns: IoU = 35 / 45 = 0.78, right for the thresholds 0.50, 0.55, ... 0.75 of the ten.
    said = figures(things(THREE), answered(np.roll(THREE, 5, axis=2)))
    assert said["mask_ap"] == said["box_ap"] == pytest.approx(0.6)
    assert said["mask_ap75"] == pytest.approx(1)
    assert figures(things(THREE), answered(np.roll(THREE, 9, axis=2)))["mask_ap75"] == 0


def test_a_missed_thing_and_a_false_one_cost_what_they_should() -> None:
    truth = squares((10, 10), (80, 10), (10, 100), (80, 100))
    # Three of four: precision 1 at the recalls 0, 0.01, ... 0.75, which are 76 of 101.
    assert figures(things(truth), answered(truth[:3]))["mask_ap"] == pytest.approx(76 / 101)
    false = squares((150, 10))
    unsure = answered(np.concatenate([truth, false]), [0.9, 0.8, 0.7, 0.6, 0.3])
    sure = answered(np.concatenate([truth, false]), [0.8, 0.8, 0.8, 0.8, 0.9])
    assert figures(things(truth), unsure)["mask_ap"] == pytest.approx(1)
    # One of two, two of three, three of four, four of five are right: precision is 4/5 up to recall 1.
    assert figures(things(truth), sure)["mask_ap"] == pytest.approx(4 / 5)


def test_masks_are_judged_and_not_their_boxes() -> None:
    halves = THREE.copy()
    halves[:, :, ::2] = False
    masks, _, scores, labels = answered(halves)
    said = figures(things(THREE), (masks, mask_boxes(THREE), scores, labels))
    assert (said["mask_ap75"], said["box_ap"]) == (0, pytest.approx(1))


def test_nothing_is_judged_in_a_crowd() -> None:
    truth = things(THREE, crowd=[False, False, True])
    assert figures(truth, answered(THREE, [0.5, 0.5, 0.9]))["mask_ap"] == pytest.approx(1)
    assert figures(truth, answered(THREE, [0.5, 0.5, 0.9]))["things"] == 2
    assert figures(things(THREE[:2]), answered(THREE, [0.5, 0.5, 0.9]))["mask_ap"] < 0.7


def test_no_answer_is_nought_and_no_truth_is_no_figure() -> None:
    none = squares()
    assert figures(things(THREE), answered(none))["mask_ap"] == 0
    said = figures(things(none), answered(THREE))
    assert said["mask_ap"] is said["box_ap"] is said["per_class"]["car"] is None


def test_two_hundred_answers_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    many = squares(*[(x, y) for x in range(0, 190, 10) for y in range(0, 150, 10)], side=9)[:200]
    said = figures(things(many), answered(many, np.linspace(0.9, 0.3, 200).tolist()))
    # COCO asks for the 100 surest of an image.
    assert said["answers"] == 200
    assert said["mask_ap"] == pytest.approx(51 / 101)
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def street() -> list[tuple[Instances, Answer]]:
    """Frames of the street, and answers to them: moved, of another class, missed, and of nothing."""
    drive, rng = Street(3, 240, 160), np.random.default_rng(4)
    frames = []
    for number in (0, 90, 180):
        view = drive.render(number)
        ids = np.array([thing.id for thing in view.objects])
        masks = view.instances == ids[:, None, None]
        labels = np.array([thing.label - 8 for thing in view.objects], np.int64)
        truth = Instances(masks, labels, masks.sum(axis=(1, 2)) < 12)
        kept = np.flatnonzero((rng.random(len(masks)) < 0.8) & (masks.sum(axis=(1, 2)) > 20))
        said, names = masks[kept], labels[kept]
        for mask in said:
            mask[:] = np.roll(mask, rng.integers(-1, 2, 2), (0, 1))
        said = np.concatenate([said, said[:3, ::-1]])
        names = np.concatenate([np.where(rng.random(len(names)) < 0.9, names, 2 - names), [0, 1, 2][: len(kept)]])
        frames.append((truth, answered(said, rng.random(len(said)).round(2).tolist(), names.tolist())))
    return frames


def test_equals_pycocotools_on_files(street: list[tuple[Instances, Answer]], tmp_path: Path) -> None:
    classes = ("car", "pedestrian", "bicyclist")
    precision = AveragePrecision(classes)
    for truth, answer in street:
        precision.add(truth, *answer)
    ours = precision.figures()
    masks, boxes = (stats_from_files(street, classes, kind, tmp_path) for kind in KINDS)
    names = ("mask_ap", "mask_ap50", "mask_ap75", "mask_ap_small", "mask_ap_medium", "mask_ap_large")
    said = [-1 if ours[name] is None else ours[name] for name in names]
    assert said == masks[:6].tolist()
    assert [ours[name] for name in ("box_ap", "box_ap50", "box_ap75")] == boxes[:3].tolist()
    assert 0.1 < ours["mask_ap"] < 0.9
    assert ours["mask_ap"] != ours["box_ap"]
    assert np.mean([v for v in ours["per_class"].values() if v is not None]) == pytest.approx(ours["mask_ap"])


def stats_from_files(
    frames: list[tuple[Instances, Answer]], classes: tuple[str, ...], kind: Kind, folder: Path
) -> NDArray[np.float64]:
    """What a user of pycocotools gets who writes the data set and the answers down, as COCO's page tells to."""
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (truth, (masks, boxes, scores, labels)) in enumerate(frames):
        for mask, (x0, y0, x1, y1), label, crowd in zip(
            truth.masks, truth.boxes.tolist(), truth.labels.tolist(), truth.crowd.tolist(), strict=True
        ):
            annotation = {"id": len(annotations) + 1, "image_id": image, "category_id": label, "iscrowd": int(crowd)}
            shape = {"segmentation": rle.encode(mask), "area": int(mask.sum()), "bbox": [x0, y0, x1 - x0, y1 - y0]}
            annotations.append({**annotation, **shape})
        for mask, (x0, y0, x1, y1), score, label in zip(
            masks, boxes.tolist(), scores.tolist(), labels.tolist(), strict=True
        ):
            place = {"segmentation": rle.encode(mask)} if kind == "segm" else {"bbox": [x0, y0, x1 - x0, y1 - y0]}
            results.append({"image_id": image, "category_id": label, "score": score, **place})
    height, width = frames[0][0].masks.shape[1:]
    images = [{"id": image, "height": height, "width": width} for image in range(len(frames))]
    categories = [{"id": number, "name": name} for number, name in enumerate(classes)]
    document = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(document))
    (folder / "results.json").write_text(json.dumps(results))
    truth = COCO(str(folder / "instances.json"))
    evaluation = COCOeval(truth, truth.loadRes(str(folder / "results.json")), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return np.asarray(evaluation.stats)


def test_a_map_of_classes_shows_the_smaller_thing_and_hides_crowds() -> None:
    large, small = squares((0, 0), side=100)[0], squares((50, 50))[0]
    crowd = squares((90, 90), side=60)[0]
    places = class_map(things(np.stack([small, large, crowd]), [0, 1, 1], [False, False, True]), 2)
    assert [int(places[y, x]) for y, x in ((60, 60), (10, 10), (95, 95), (120, 120), (159, 199))] == [0, 1, 1, 255, 2]


class Discs:
    """The scene of a red and a blue disc, as often as asked for, of which the blue ones may be labelled as red."""

    palette = ((0, 0, 0),) * 2
    terms = "none"
    partial = False

    def __init__(self, images: int, classes: tuple[str, ...] = CLASSES) -> None:
        self._images, self.classes, self.labelled = images, classes, classes

    def __len__(self) -> int:
        return self._images

    def __getitem__(self, index: int) -> tuple[str, NDArray[np.uint8], Instances]:
        image = scene(192, 128)
        colours = {"red": RED, "blue": BLUE}
        masks = np.stack([(image == colours[name]).all(axis=2) for name in self.classes if name in colours])
        return f"discs {index}", image, things(masks, list(range(len(masks))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("engines") / "coloured-halves").path


def opened(folder: Path) -> InstanceSegmenter:
    segmenter = load(folder, engine="onnxruntime", precision="fp32", threads=1)
    assert isinstance(segmenter, InstanceSegmenter)
    return segmenter


def test_classes_are_told_by_name_and_every_image_counts(folder: Path) -> None:
    done: list[int] = []
    with opened(folder) as segmenter:
        said = judge_instances(segmenter, Discs(2), done.append)
        swapped = judge_instances(segmenter, Discs(1, CLASSES[::-1]))
        red = judge_instances(segmenter, Discs(1, ("red",)))
    assert (said["images"], done, said["things"]) == (2, [1, 2], 4)
    assert [said["mask_ap50"], swapped["mask_ap50"], red["mask_ap50"]] == pytest.approx([1, 1, 1])
    assert red["per_class"]["blue"] is None
    assert said["frame_ms"] > 0


@pytest.mark.parametrize(
    ("samples", "said"), [(Discs(0), "no image"), (Discs(1, ("red", "bleu")), "'bleu'.*did you mean blue?")]
)
def test_data_that_the_model_cannot_be_judged_on_are_refused(folder: Path, samples: Discs, said: str) -> None:
    with opened(folder) as segmenter, pytest.raises(UsageError, match=said):
        judge_instances(segmenter, samples)


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of two scenes as a COCO data set."""
    root = tmp_path_factory.mktemp("discs")
    (root / "images").mkdir()
    images, annotations = [], []
    for number, moved in enumerate((0.0, 0.08)):
        image = scene(192, 128, moved)
        cv2.imwrite(str(root / "images" / f"{number}.png"), image)
        images.append({"id": number, "file_name": f"{number}.png", "height": 128, "width": 192})
        for category, colour in enumerate((RED, BLUE)):
            place = {"image_id": number, "category_id": category, "id": len(annotations) + 1, "iscrowd": 0}
            annotations.append({**place, "segmentation": rle.encode((image == colour).all(axis=2))})
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (root / "instances.json").write_text(json.dumps(document))
    return f"coco:{root},classes=red+blue"


def test_eval_tells_the_figures_as_json_and_draws_the_worst_frames(
    folder: Path, discs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worst = tmp_path / "worst.png"
    cpu = ("--engine", "onnxruntime", "--precision", "fp32")
    assert main(["eval", str(folder), "--data", discs, *cpu, "--worst", str(worst), "--json", "-"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["images"], said["things"], said["split"]) == (2, 4, "val")
    assert said["mask_ap50"] == pytest.approx(1)
    assert 0.3 < said["mask_ap"] < 1
    assert set(said) >= {
        "mask_ap75",
        "mask_ap_small",
        "mask_ap_medium",
        "mask_ap_large",
        "box_ap",
        "box_ap50",
        "box_ap75",
    }
    assert set(said["per_class"]) == set(CLASSES)
    assert cv2.imread(str(worst)) is not None


def test_eval_prints_a_table_and_refuses_what_instances_do_not_have(
    folder: Path, discs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(folder), "--data", discs, "--engine", "onnxruntime"]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("average precision", "mask, blue", "box", "100.0", "2 images"))
    assert main(["eval", str(folder), "--data", discs, "--tta"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--tta" in error
