"""What a sink has written is whole, readable by others, and exactly what the result said; or nothing is there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from edgeseg.core.errors import EdgesegError, SinkError, UsageError
from edgeseg.core.masks import InstanceMasks, Masks, SemanticMask
from edgeseg.core.result import EngineInfo, Frame, Result, Timing
from edgeseg.streaming.sinks.masks import MasksSink
from edgeseg.streaming.sinks.mp4 import Mp4Sink
from edgeseg.streaming.sinks.picture import Painter
from edgeseg.streaming.sinks.still import StillSink
from edgeseg.streaming.sinks.window import window_reason

CLASSES = ("road", "car")
PALETTE = ((120, 80, 150), (30, 90, 230))
INFO = EngineInfo("onnxruntime", "fp32", "test", 1)


def result(index: int = 0, size: tuple[int, int] = (48, 64), source: str = "clip.mp4", ms: int = 40) -> Result:
    """A grey frame, its left half road and its right half car, captured `ms` after the one before."""
    labels = np.zeros(size, np.uint8)
    labels[:, size[1] // 2 :] = 1
    image = np.full((*size, 3), 128, np.uint8)
    return wrap(SemanticMask(labels, CLASSES), image, index, source, index * ms * 1_000_000)


def wrap(masks: Masks, image: np.ndarray, index: int = 0, source: str = "", captured_ns: int = 0) -> Result:
    return Result(Frame(image, index, captured_ns, source), masks, Timing({}, time.monotonic_ns()), INFO)


def painter() -> Painter:
    return Painter(CLASSES, PALETTE, lambda _: "a · b")


def two_things() -> InstanceMasks:
    masks = np.zeros((2, 48, 64), bool)
    masks[0, 4:20, 6:30] = True
    masks[1, 10:40, 40:60] = True
    boxes = np.array([[6, 4, 30, 20], [40, 10, 60, 40]], np.float32)
    return InstanceMasks(masks, boxes, np.array([0.9, 0.8], np.float32), np.array([1, 1], np.uint8), CLASSES)


def test_a_clip_reads_back_with_its_size_its_colours_and_its_pace(tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "o.mp4", painter(), fps=25.0)
    for index in range(10):
        sink.write(result(index))
    assert sink.close() == str(tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as clip:
        assert clip.streams.video[0].codec_context.name == "h264"
        pictures = list(clip.decode(video=0))
    assert [picture.time for picture in pictures] == pytest.approx([index / 25 for index in range(10)], abs=1e-3)
    shown = pictures[5].to_ndarray(format="bgr24")
    assert shown.shape == (48, 64, 3)
    expected = (128 + np.array(PALETTE[1][::-1])) / 2
    np.testing.assert_allclose(shown[24, 52], expected, atol=14)


def test_a_live_clip_keeps_the_times_of_capture_drops_and_all(tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "o.mp4", painter(), fps=None)
    for index in (0, 1, 2, 9, 10):
        sink.write(result(index))
    sink.close()
    with av.open(str(tmp_path / "o.mp4")) as clip:
        times = [picture.time for picture in clip.decode(video=0)]
    assert times == pytest.approx([0, 0.04, 0.08, 0.36, 0.4], abs=2e-3)


def test_odd_sides_and_a_change_of_size_do_not_break_a_clip(tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "o.mkv", painter(), fps=25.0)
    for index, size in enumerate([(49, 65), (49, 65), (24, 90), (200, 30)]):
        sink.write(result(index, size))
    sink.close()
    with av.open(str(tmp_path / "o.mkv")) as clip:
        assert [(p.width, p.height) for p in clip.decode(video=0)] == [(64, 48)] * 4


def test_without_a_picture_there_is_no_clip_and_no_still(tmp_path: Path) -> None:
    assert Mp4Sink(tmp_path / "o.mp4", painter(), fps=25.0).close() == ""
    assert StillSink(tmp_path / "o.png", painter()).close() == ""
    assert not list(tmp_path.iterdir())


def test_a_clip_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    sink = Mp4Sink(tmp_path / "o.mp4", painter(), fps=25.0)
    sink.write(result())
    assert not (tmp_path / "o.mp4").exists()
    sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


def test_closing_twice_gives_the_same_answer(tmp_path: Path) -> None:
    for sink in (Mp4Sink(tmp_path / "o.mp4", painter(), fps=25.0), StillSink(tmp_path / "o.png", painter())):
        sink.write(result())
        assert sink.close() == sink.close() != ""


def test_a_still_is_the_last_painted_picture(tmp_path: Path) -> None:
    shared = painter()
    sink = StillSink(tmp_path / "o.png", shared)
    sink.write(result(0))
    last = result(1, (96, 128))
    sink.write(last)
    sink.close()
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "o.png")), shared.paint(last))


@pytest.mark.parametrize("kind", [Mp4Sink, StillSink])
def test_where_nothing_can_be_written_it_is_said_before_the_first_frame(tmp_path: Path, kind: type) -> None:
    (tmp_path / "file").touch()
    ending = ".mp4" if kind is Mp4Sink else ".png"
    more = (25.0,) if kind is Mp4Sink else ()
    for target, error in [
        (tmp_path / "file" / f"o{ending}", SinkError),
        (tmp_path / "missing" / f"o{ending}", SinkError),
        (tmp_path / "o.exe", UsageError),
    ]:
        with pytest.raises(error) as caught:
            kind(target, painter(), *more)
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_label_maps_are_palette_pngs_that_carry_ids_and_colours(tmp_path: Path) -> None:
    sink = MasksSink(tmp_path / "m", PALETTE)
    first = result(3)
    sink.write(first)
    assert sink.close() == str(tmp_path / "m")
    with Image.open(tmp_path / "m" / "frame_000003.png") as mask:
        assert mask.mode == "P"
        assert isinstance(first.masks, SemanticMask)
        np.testing.assert_array_equal(np.asarray(mask), first.masks.labels)
        assert mask.convert("RGB").getpixel((60, 20)) == PALETTE[1]


def test_masks_of_images_are_named_after_them_and_none_overwrites_another(tmp_path: Path) -> None:
    sink = MasksSink(tmp_path, PALETTE)
    for index, source in enumerate(["a/0001.jpg", "b/0001.jpg", "b/0002.png"]):
        sink.write(result(index, source=source))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001.png", "0002.png", "frame_000001.png"]


def test_instances_are_coco_lines_that_pycocotools_decodes(tmp_path: Path) -> None:
    things = two_things()
    sink = MasksSink(tmp_path, PALETTE)
    sink.write(wrap(things, np.zeros((48, 64, 3), np.uint8)))
    (line,) = (tmp_path / "instances.jsonl").read_text().splitlines()
    said = json.loads(line)["instances"]
    sink.close()
    for thing, expected in zip(said, things.masks, strict=True):
        np.testing.assert_array_equal(coco.decode(thing["segmentation"]).astype(bool), expected)
        assert thing["category"] == "car"


def test_masks_folder_that_can_not_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="can't be written"):
        MasksSink(tmp_path / "file" / "m", PALETTE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_ends_the_lines_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "instances.jsonl").symlink_to("/dev/full")
    sink = MasksSink(tmp_path, PALETTE)
    with pytest.raises(EdgesegError, match="not written") as caught:
        sink.write(wrap(two_things(), np.zeros((48, 64, 3), np.uint8)))
    assert "\n" not in str(caught.value)


def test_things_are_painted_where_they_are_and_nowhere_else() -> None:
    image = np.full((240, 320, 3), 128, np.uint8)
    masks = np.zeros((1, 240, 320), bool)
    masks[0, 100:140, 100:180] = True
    box = np.array([[100, 100, 180, 140]], np.float32)
    things = InstanceMasks(masks, box, np.array([1], np.float32), np.array([1], np.uint8), CLASSES)
    picture = painter().paint(wrap(things, image))
    changed = (picture != image).any(axis=2)
    assert changed[100:140, 100:180].all()
    assert not changed[90:100, 100:180].any()


def test_no_window_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "display" in window_reason()
