"""A folder gives its images in the order that people count, and goes on after a broken one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.core.errors import SourceError
from edgeseg.streaming.sources.images import ImagesSource


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imencode(path.suffix, image)[1].tofile(path)


def picture(level: int) -> np.ndarray:
    return np.full((8, 12, 3), level, np.uint8)


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1, 100):
        save(tmp_path / f"frame{number}.png", picture(number))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._frame1.png").write_bytes(b"attributes of a Mac's file")
    with ImagesSource(str(tmp_path)) as source:
        assert (source.live, source.frames) == (False, 4)
        frames = list(source)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 9, 10, 100]
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert frames[0].source == str(tmp_path / "frame1.png")


@pytest.mark.parametrize("ending", [".png", ".PNG", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"])
def test_each_ending_is_read(tmp_path: Path, ending: str) -> None:
    save(tmp_path / f"a{ending.lower()}", picture(120))
    (tmp_path / f"a{ending.lower()}").rename(tmp_path / f"a{ending}")
    with ImagesSource(str(tmp_path)) as source:
        (frame,) = source
    assert np.abs(frame.image.astype(int) - 120).max() <= 2


@pytest.mark.parametrize(
    "image",
    [
        np.full((8, 12), 120, np.uint8),
        np.full((8, 12), 120 * 257, np.uint16),
        np.full((8, 12, 3), 120 * 257, np.uint16),
        np.full((8, 12, 4), 120, np.uint8),
    ],
    ids=["grey", "grey 16 bit", "colour 16 bit", "alpha"],
)
def test_every_depth_becomes_bgr_of_8_bits(tmp_path: Path, image: np.ndarray) -> None:
    save(tmp_path / "a.png", image)
    with ImagesSource(str(tmp_path)) as source:
        (frame,) = source
    assert frame.image.dtype == np.uint8
    assert frame.image.shape == (8, 12, 3)
    assert (frame.image == 120).all()


def test_a_broken_image_is_marked_and_the_rest_goes_on(tmp_path: Path) -> None:
    save(tmp_path / "1.png", picture(1))
    (tmp_path / "2.png").write_bytes(b"no png")
    (tmp_path / "3.png").write_bytes(b"")
    save(tmp_path / "4.png", picture(4))
    with ImagesSource(str(tmp_path)) as source:
        damage = [frame.damage for frame in source]
    assert damage == ["", "not a readable image: 2.png", "not a readable image: 3.png", ""]


def test_names_of_any_script_and_with_brackets(tmp_path: Path) -> None:
    folder = tmp_path / "Straße [1]"
    save(folder / "画像.png", picture(7))
    for address in (folder, tmp_path / "Straße*" / "*.png"):
        with ImagesSource(str(address)) as source:
            assert [int(frame.image[0, 0, 0]) for frame in source] == [7]


def test_a_pattern_finds_images_in_folders_below(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", picture(1))
    save(tmp_path / "a" / "b" / "2.png", picture(2))
    with ImagesSource(str(tmp_path / "**" / "*.png")) as source:
        assert len(list(source)) == 2


def test_no_images_is_said_with_the_folder_and_the_endings(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no images in the folder .*\.jpg, \.png") as caught:
        ImagesSource(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(SourceError, match=r"no images in what fits"):
        ImagesSource(str(tmp_path / "*.png"))


def test_closing_ends_the_iteration(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"{number}.png", picture(number))
    source = ImagesSource(str(tmp_path))
    frames = iter(source)
    next(frames)
    source.close()
    assert list(frames) == []
