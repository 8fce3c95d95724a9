"""Images and labels are read as they were written; what is not sound is an error that names the file."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgeseg.core.errors import EdgesegError
from edgeseg.data.files import id_table, images_in, read_image, read_labels
from edgeseg.synthetic import StreetView

STREET_IDS = id_table({i: i for i in range(11)})
IMAGE = np.zeros((6, 8, 3), np.uint8)


def test_what_was_written_is_read(tmp_path: Path, frames: list[StreetView]) -> None:
    cv2.imwrite(str(tmp_path / "image.png"), frames[0].image)
    cv2.imwrite(str(tmp_path / "labels.png"), frames[0].labels)
    image = read_image(tmp_path / "image.png")
    assert np.array_equal(image, frames[0].image), "BGR"
    assert np.array_equal(read_labels(tmp_path / "labels.png", image, STREET_IDS), frames[0].labels)


def test_a_label_file_with_a_colour_table_is_read_by_its_indices(tmp_path: Path, frames: list[StreetView]) -> None:
    file = Image.fromarray(frames[1].labels, "P")
    file.putpalette([200, 10, 10, 0, 200, 0, 0, 0, 200] * 5)
    file.save(tmp_path / "labels.png")
    labels = read_labels(tmp_path / "labels.png", frames[1].image, STREET_IDS)
    assert np.array_equal(labels, frames[1].labels)


def test_ids_are_translated(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((6, 8), 7, np.uint8))
    labels = read_labels(tmp_path / "a.png", IMAGE, id_table({7: 1, 9: 255}))
    assert labels.dtype == np.uint8
    assert (labels == 1).all()


def test_an_unknown_id_is_named_with_its_file_and_place(tmp_path: Path) -> None:
    labels = np.zeros((6, 8), np.uint8)
    labels[4, 3] = 12
    cv2.imwrite(str(tmp_path / "a.png"), labels)
    said = rf"{re.escape(str(tmp_path / 'a.png'))}: class id 12 at x=3, y=4; .* 0 to 2, 255$"
    with pytest.raises(EdgesegError, match=said):
        read_labels(tmp_path / "a.png", IMAGE, id_table({0: 0, 1: 1, 2: 2, 255: 255}))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros((5, 8), np.uint8), r"a\.png: labels of 8x5 for an image of 8x6"),
        (np.zeros((6, 8, 3), np.uint8), r"a\.png: pixels of kind 'RGB'"),
        (np.zeros((6, 8), np.uint16), r"a\.png: pixels of kind 'I;16'"),
    ],
)
def test_labels_of_another_size_or_kind_name_their_file(tmp_path: Path, labels: np.ndarray, said: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), labels)
    with pytest.raises(EdgesegError, match=said):
        read_labels(tmp_path / "a.png", IMAGE, STREET_IDS)


@pytest.mark.parametrize("kept", [0, 20, 60])
def test_a_file_cut_short_names_itself(tmp_path: Path, frames: list[StreetView], kept: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), frames[0].labels)
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:kept])
    with pytest.raises(EdgesegError, match=r"a\.png: not an image that can be decoded"):
        read_labels(tmp_path / "a.png", frames[0].image, STREET_IDS)


@pytest.mark.parametrize("offset", [8, 11, 36])
def test_a_damaged_file_names_itself(tmp_path: Path, frames: list[StreetView], offset: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), frames[0].labels)
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[offset] = 5
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(EdgesegError, match=r"a\.png: not an image that can be decoded"):
        read_labels(tmp_path / "a.png", frames[0].image, STREET_IDS)


def test_text_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(EdgesegError, match=r"a\.png: not an image that can be decoded"):
        read_image(tmp_path / "a.png")


def test_images_are_found_by_their_ending_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.JPG", "c.txt", "a.png"):
        (tmp_path / name).touch()
    assert [path.name for path in images_in(tmp_path)] == ["a.png", "b.JPG"]
    assert images_in(tmp_path / "nowhere") == []


def test_what_is_hidden_is_no_image(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tiff", "._a.jpg", ".hidden.png"):
        (tmp_path / name).touch()
    assert [path.name for path in images_in(tmp_path)] == ["a.tif", "b.tiff"]
