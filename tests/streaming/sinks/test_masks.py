"""Masks on the disk are the masks, for any tool that reads palette PNGs or COCO run lengths."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from edgeseg.core.errors import SinkError
from edgeseg.core.masks import SemanticMask
from edgeseg.core.result import Frame, Result
from edgeseg.streaming.sinks.masks import MasksSink

PALETTE = ((250, 224, 60), (232, 36, 66), (0, 208, 204))


def with_labels(result: Result, labels: np.ndarray) -> Result:
    frame = Frame(np.zeros((*labels.shape, 3), np.uint8), result.frame.index, 0, result.frame.source)
    return Result(frame, SemanticMask(labels, ("a", "b", "c")), result.timing, result.engine)


@pytest.mark.parametrize("classes", [1, 2, 3, 16, 17, 255])
def test_labels_come_back_exactly_with_their_colours(make_result, tmp_path: Path, classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, (50, 71), dtype=np.uint8)
    labels[:5] = 255
    palette = [tuple(int(v) for v in colour) for colour in rng.integers(1, 256, (classes, 3))]
    sink = MasksSink(tmp_path / "m", palette)
    sink.write(with_labels(make_result(), labels))
    assert sink.close() == str(tmp_path / "m")
    with Image.open(tmp_path / "m" / "frame_000000.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), labels)
        rgb = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(rgb[5:], np.array(palette)[labels[5:]])
    assert not rgb[:5].any(), "ignored pixels are black"
    seen = cv2.imread(str(tmp_path / "m" / "frame_000000.png"))
    assert seen is not None
    np.testing.assert_array_equal(seen[..., ::-1], rgb)


def test_a_frame_of_a_stream_is_named_after_its_index(make_result, tmp_path: Path) -> None:
    sink = MasksSink(tmp_path, PALETTE)
    for index, source in enumerate(["clip.mp4", "street://?seed=1", "http://camera/shot.jpg", "0"]):
        sink.write(make_result(index, source=source))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"frame_{index:06d}.png" for index in range(4)]


def test_an_image_of_a_folder_gives_its_name_to_its_mask_and_none_is_overwritten(make_result, tmp_path: Path) -> None:
    sink = MasksSink(tmp_path, PALETTE)
    for index, source in enumerate(["in/a.jpg", "in/b.PNG", "in/a.png", "other/a.jpg"]):
        sink.write(make_result(index, source=source))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a_000002.png", "a_000003.png", "b.png"]


def test_instances_are_coco_run_lengths_line_by_line(make_result, tmp_path: Path) -> None:
    sink = MasksSink(tmp_path, PALETTE)
    results = [make_result(index, instances=True) for index in range(3)]
    for number, result in enumerate(results, start=1):
        sink.write(result)
        written = (tmp_path / "instances.jsonl").read_text()
        assert written.count("\n") == number, "a line is on the disk as soon as it is written"
    sink.close()
    sink.close()
    lines = (tmp_path / "instances.jsonl").read_text().splitlines()
    for result, line in zip(results, lines, strict=True):
        said = json.loads(line)
        assert (said["frame"], said["source"], said["captured_ns"]) == (
            result.frame.index,
            "scene",
            result.frame.captured_ns,
        )
        (thing,) = said["instances"]
        assert (thing["category"], thing["id"], thing["score"]) == ("disc", 7, pytest.approx(0.9))
        np.testing.assert_array_equal(coco.decode(thing["segmentation"]).astype(bool), result.masks.masks[0])
        np.testing.assert_allclose(coco.toBbox(thing["segmentation"]), thing["bbox"])


def test_a_full_disk_leaves_whole_label_maps_only(make_result, tmp_path: Path, full_disk) -> None:
    sink = MasksSink(tmp_path, PALETTE)
    sink.write(make_result(0))
    noise = np.random.default_rng(0).integers(0, 3, (300, 300), dtype=np.uint8)
    with full_disk(2000), pytest.raises(SinkError, match="masks of frame 1 not written") as raised:
        sink.write(with_labels(make_result(1), noise))
    assert "\n" not in str(raised.value)
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["frame_000000.png"]


def test_a_full_disk_leaves_whole_lines_only(make_result, tmp_path: Path, full_disk) -> None:
    sink = MasksSink(tmp_path, PALETTE)
    sink.write(make_result(0, instances=True))
    lines = tmp_path / "instances.jsonl"
    whole = lines.read_bytes()
    with full_disk(len(whole) + 40):
        with pytest.raises(SinkError, match="masks of frame 1 not written"):
            sink.write(make_result(1, instances=True))
        sink.close()
    assert lines.read_bytes() == whole


@pytest.mark.parametrize(("name", "said"), [("file", "File exists"), ("file/m", "Not a directory")])
def test_a_folder_that_can_not_be_is_said_at_once(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=said):
        MasksSink(tmp_path / name, PALETTE)


def test_the_folder_is_made_with_its_parents_and_stays_empty(tmp_path: Path) -> None:
    MasksSink(tmp_path / "a" / "b", PALETTE).close()
    assert list((tmp_path / "a" / "b").iterdir()) == []
