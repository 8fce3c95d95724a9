"""What is in front stays as it was, what is behind is gone, and the seam between them is soft and lies where it is seen."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgeseg.core.errors import UsageError
from edgeseg.core.masks import InstanceMasks, SemanticMask
from edgeseg.vision.background import Background, Steadier, in_front

WIDTH, HEIGHT, EDGE = 640, 360, 320
PERSON = ("background", "person")


def noise(height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def right_of(x: int, height: int = HEIGHT, width: int = WIDTH) -> SemanticMask:
    """A person fills everything from column x on."""
    labels = np.zeros((height, width), dtype=np.uint8)
    labels[:, x:] = 1
    return SemanticMask(labels, PERSON)


def test_a_colour_is_rgb_and_fills_all_that_is_behind() -> None:
    image = noise()
    before = image.copy()
    out = Background("#ff8000")(image, right_of(EDGE))
    assert (out[:, : EDGE - 40] == (0, 128, 255)).all()
    np.testing.assert_array_equal(out[:, EDGE + 40 :], before[:, EDGE + 40 :])
    np.testing.assert_array_equal(image, before)


def test_blur_leaves_the_front_as_it_was_and_no_detail_behind() -> None:
    image = noise()
    out = Background("blur")(image, right_of(EDGE))
    np.testing.assert_array_equal(out[:, EDGE + 40 :], image[:, EDGE + 40 :])
    behind = out[:, : EDGE - 40].astype(float)
    assert behind.std() < 10
    assert abs(behind.mean() - 127.5) < 5


def test_what_is_in_front_does_not_shine_into_the_blur() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    image[:, EDGE:] = 255
    out = Background("blur")(image, right_of(EDGE))
    assert out[:, : EDGE - 6].max() <= 3
    assert out[:, EDGE + 6 :].min() >= 252


def test_a_picture_fills_the_frame_and_its_middle_is_shown(tmp_path: Path) -> None:
    # Three bars on a picture that is twice as wide as the frame: the outer halves of the outer ones are cut off.
    picture = np.zeros((90, 320, 3), dtype=np.uint8)
    picture[:, :80], picture[:, 80:240], picture[:, 240:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    path = tmp_path / "Bücher.png"
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    background = Background(path)
    for height, width in ((360, 640), (180, 320), (360, 640)):
        out = background(noise(height, width), right_of(width, height, width))
        assert out.shape == (height, width, 3)
        assert (out[:, 8:-8] == (0, 255, 0)).all()
        assert out[0, 0, 0] > 0 and out[0, -1, 2] > 0, "the outer bars begin at the sides"


def test_the_seam_is_soft_and_narrow_where_the_picture_has_no_edge() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 255, dtype=np.uint8)
    row = Background("#000000")(image, right_of(EDGE))[HEIGHT // 2, :, 0].astype(int)
    between = np.flatnonzero((row > 5) & (row < 250))
    assert 3 <= len(between) <= 12
    assert abs(between.mean() - (EDGE - 0.5)) <= 1
    assert (np.diff(row) >= 0).all()


def test_the_seam_moves_to_the_edge_that_is_seen() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 60, dtype=np.uint8)
    image[:, EDGE:] = 200
    for wrong_by in (-3, 3):
        out = Background("#00ff00")(image, right_of(EDGE + wrong_by))[HEIGHT // 2].astype(int)
        assert np.abs(out[EDGE + 3] - 200).max() <= 10
        assert np.abs(out[EDGE - 4] - (0, 255, 0)).max() <= 10


def test_every_class_but_background_stays_unless_some_are_named() -> None:
    assert in_front(("background", "person", "cat")) == ("person", "cat")
    assert in_front(("background", "person", "cat"), ("cat",)) == ("cat",)
    with pytest.raises(UsageError, match=r"no class is called 'background'.*\(road, car\)"):
        in_front(("road", "car"))
    with pytest.raises(UsageError, match=r"no class 'cars' to keep: did you mean car\?"):
        in_front(("road", "car"), ("cars",))


def test_ignored_pixels_are_behind() -> None:
    masks = right_of(EDGE)
    masks.labels[:, :EDGE] = 255
    assert (Background("#102030")(noise(), masks)[:, : EDGE - 40] == (0x30, 0x20, 0x10)).all()


def test_things_stay_in_front_by_their_class() -> None:
    masks = np.zeros((2, HEIGHT, WIDTH), dtype=bool)
    masks[0, :, :200], masks[1, :, 440:] = True, True
    boxes = np.array([[0, 0, 200, HEIGHT], [440, 0, WIDTH, HEIGHT]], dtype=np.float32)
    scores, labels = np.array([0.9, 0.8], np.float32), np.array([0, 1], np.uint8)
    image = noise()
    things = InstanceMasks(masks, boxes, scores, labels, ("person", "car"))
    out = Background("#000000", keep=("person",))(image, things)
    np.testing.assert_array_equal(out[:, :160], image[:, :160])
    assert (out[:, 240:] == 0).all()
    nobody = InstanceMasks(masks[:0], boxes[:0], scores[:0], labels[:0], ("person", "car"))
    assert (Background("#000000", keep=("person",))(image, nobody) == 0).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 700), (703, 5), (97, 161)])
@pytest.mark.parametrize("behind", ["blur", "#204060"])
def test_pictures_of_every_size(height: int, width: int, behind: str) -> None:
    image = noise(height, width)
    everybody = right_of(0, height, width)
    np.testing.assert_array_equal(Background(behind)(image, everybody), image)
    assert Background(behind, steady=True)(image, right_of(width, height, width)).shape == image.shape


def test_a_part_of_a_larger_picture_will_do() -> None:
    image, masks = noise(), right_of(EDGE)
    part = (slice(20, 300), slice(100, 500))
    masks = SemanticMask(masks.labels[part], PERSON)
    expected = Background("blur")(image[part].copy(), SemanticMask(masks.labels.copy(), PERSON))
    np.testing.assert_array_equal(Background("blur")(image[part], masks), expected)


def test_masks_of_another_size_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="640x360 don't fit a picture of 30x20"):
        Background("blur")(noise(20, 30), right_of(EDGE))


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        ("nowhere.png", r"no background 'nowhere.png' \(No such file or directory\): give blur, a colour"),
        ("blurr", r"no background 'blurr'"),
        ("folder", r"no background 'folder' \(Is a directory\)"),
        ("", "no background ''"),
        ("letter.png", "letter.png is no picture that can be read"),
        ("empty.png", "empty.png is no picture that can be read"),
        ("#0f0", "no colour '#0f0'"),
        ("#00ff0g", "no colour '#00ff0g'"),
    ],
)
def test_nonsense_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("letter.png").write_text("Dear friend,\n" * 20)
    Path("empty.png").touch()
    with pytest.raises(UsageError, match=said):
        Background(behind)


def flickering(count: int) -> list[NDArray[np.float32]]:
    return [np.full((20, 30), step % 2, dtype=np.float32) for step in range(count)]


def test_a_mask_comes_to_rest_where_the_picture_stands_still() -> None:
    steadier = Steadier()
    still = np.full((20, 30), 0.5, dtype=np.float32)
    masks = [steadier(still, cover) for cover in flickering(20)]
    np.testing.assert_array_equal(masks[0], flickering(1)[0])
    assert all(np.abs(new - old).max() <= 0.25 for old, new in pairwise(masks))


def test_a_mask_follows_at_once_where_the_picture_moves_or_is_cut() -> None:
    steadier = Steadier()
    for step, cover in enumerate(flickering(6)):
        moving = np.full((20, 30), 0.1 * step, dtype=np.float32)
        np.testing.assert_array_equal(steadier(moving, cover), cover)


def test_another_size_starts_anew() -> None:
    steadier = Steadier()
    for height in (20, 20, 30, 20):
        still = np.full((height, 30), 0.5, dtype=np.float32)
        mask = steadier(still, np.full((height, 30), height == 30, dtype=np.float32))
        assert mask.shape == (height, 30)
        assert (mask == (height == 30)).all()


def test_steadying_is_for_streams_only() -> None:
    image = noise()
    once, stream = Background("#000000"), Background("#000000", steady=True)
    for background in (once, stream):
        background(image, right_of(0))
    nobody = right_of(WIDTH)
    assert (once(image, nobody) == 0).all()
    assert (stream(image, nobody) > 0).any()
