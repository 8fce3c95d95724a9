"""What a run tells of itself can be read by others: a table, TensorBoard's events, a picture."""

from __future__ import annotations

import csv
import math
import struct
from pathlib import Path

import cv2
import pytest
from tensorboardX.proto.event_pb2 import Event  # type: ignore[attr-defined]  (made at import from its description)

from edgeseg.core.errors import EdgesegError
from edgeseg.train import diary
from edgeseg.train.diary import Entry, draw_curves, write
from tests.conftest import FullDisk


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _scalars(folder: Path) -> dict[tuple[str, int], float]:
    """Reads TensorBoard's files: records of length (uint64), its checksum (4 bytes), an Event, its checksum (4 bytes)."""
    found = {}
    for path in (folder / "tensorboard").iterdir():
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += length + 16
            for value in event.summary.value:
                found[value.tag, event.step] = value.simple_value
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The log of three epochs, of which the second and the third were measured."""
    write(tmp_path, Entry(1, 2.5, math.nan, 0.01, 3.0), "miou", {})
    write(tmp_path, Entry(2, 1.5, 0.25, 0.02, 3.0), "miou", {"car": 0.5, "sky": 0.0})
    write(tmp_path, Entry(3, 1.0, 0.5, 0.0, 3.0), "miou", {"car": 0.75, "sky": 0.25})
    return tmp_path


def test_the_table_has_a_line_an_epoch(folder: Path) -> None:
    assert list(_rows(folder)[0]) == ["epoch", "loss", "val_miou", "lr", "seconds"]
    assert [(row["epoch"], row["loss"], row["val_miou"]) for row in _rows(folder)] == [
        ("1", "2.50000", "nan"),
        ("2", "1.50000", "0.25000"),
        ("3", "1.00000", "0.50000"),
    ]


def test_what_an_instance_network_is_measured_by_is_called_so(tmp_path: Path) -> None:
    write(tmp_path, Entry(1, 2.5, 0.125, 0.01, 3.0), "mask_ap", {"car": 0.25})
    assert [row["val_mask_ap"] for row in _rows(tmp_path)] == ["0.12500"]
    scalars = _scalars(tmp_path)
    assert (scalars["val/mask_ap", 1], scalars["val/mask_ap/car", 1]) == (0.125, 0.25)
    assert draw_curves(tmp_path).is_file()


def test_a_log_of_before_in_which_mask_ap_is_called_miou_goes_on(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("epoch,loss,val_miou,lr,seconds\n1,2.50000,0.12500,0.01,3.0\n")
    write(tmp_path, Entry(2, 2.0, 0.25, 0.01, 3.0), "mask_ap", {})
    assert [row["val_mask_ap"] for row in _rows(tmp_path)] == ["0.12500", "0.25000"]
    assert draw_curves(tmp_path).is_file()


def test_tensorboard_finds_every_epoch_of_even_the_shortest(folder: Path) -> None:
    scalars = _scalars(folder)
    assert [scalars["loss", epoch] for epoch in (1, 2, 3)] == [2.5, 1.5, 1.0]
    assert [scalars["val/miou", epoch] for epoch in (2, 3)] == [0.25, 0.5]
    assert [scalars["val/iou/car", epoch] for epoch in (2, 3)] == [0.5, 0.75]
    assert ("val/miou", 1) not in scalars


def test_the_curves_are_a_picture(folder: Path) -> None:
    picture = cv2.imread(str(draw_curves(folder)))
    assert picture is not None
    assert picture.shape == (540, 960, 3)
    blue = (picture[:, :, 0].astype(int) - picture[:, :, 2]) > 80
    assert blue.sum() > 200
    assert not list(folder.glob("*.part"))


def test_curves_without_a_measurement_are_a_picture_too(tmp_path: Path) -> None:
    write(tmp_path, Entry(1, 2.5, math.nan, 0.01, 3.0), "miou", {})
    assert cv2.imread(str(draw_curves(tmp_path))) is not None


def test_a_full_disk_is_one_line_and_leaves_whole_lines(folder: Path, full_disk: FullDisk) -> None:
    before = (folder / "log.csv").read_bytes()
    with full_disk(len(before) + 5), pytest.raises(EdgesegError, match=r"log can't be written.*make room") as raised:
        write(folder, Entry(4, 1.0, 0.5, 0.0, 3.0), "miou", {})
    assert "\n" not in str(raised.value)
    assert (folder / "log.csv").read_bytes() == before


@pytest.mark.parametrize("part", [diary.BOARD, diary.CURVES])
def test_so_is_one_at_the_events_and_at_the_picture(folder: Path, full_disk: FullDisk, part: str) -> None:
    room = (folder / "log.csv").stat().st_size + 60
    with full_disk(room), pytest.raises(EdgesegError, match=r"log can't be written.*make room") as raised:
        if part == diary.CURVES:
            draw_curves(folder)
        else:
            write(folder, Entry(4, 1.0, 0.5, 0.0, 3.0), "miou", {f"class {index}": 0.5 for index in range(99)})
    assert "\n" not in str(raised.value)
