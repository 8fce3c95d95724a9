"""Judging: data and model must speak of the same classes, and every image counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeseg.core.errors import UsageError
from edgeseg.evaluate.accuracy import judge
from edgeseg.runtime.segmenter import SemanticSegmenter, load

BAR = 60


class Bars:
    """The picture of three bars, as many times as asked for; `wrong` of its columns are labelled as the class beside."""

    palette = ((0, 0, 0),) * 3
    terms = "none"

    def __init__(self, image: np.ndarray, wrong: tuple[int, ...], classes: tuple[str, ...] = ("red", "green", "blue")):
        self._image, self._wrong, self.classes = image, wrong, classes

    def __len__(self) -> int:
        return len(self._wrong)

    def __getitem__(self, index: int) -> tuple[str, np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(3, dtype=np.uint8), BAR)[None].repeat(self._image.shape[0], axis=0)
        labels[:, BAR : BAR + self._wrong[index]] = 0
        return f"bars {index}", self._image, labels


def _opened(folder: Path) -> SemanticSegmenter:
    segmenter = load(folder, engine="onnxruntime")
    assert isinstance(segmenter, SemanticSegmenter)
    return segmenter


def test_figures_are_over_all_images_together(bundle_folder: Path, bars: np.ndarray) -> None:
    done: list[int] = []
    with _opened(bundle_folder) as segmenter:
        right = judge(segmenter, Bars(bars, (0, 0)), done.append)
        half = judge(segmenter, Bars(bars, (0, 40)))
    assert done == [1, 2]
    assert right["images"] == 2
    assert right["miou"] > 0.97
    assert right["boundary_f1"] > 0.97
    # 40 of 360 columns are labelled red and answered green; the contour is off in one image of two.
    assert right["pixel_accuracy"] - half["pixel_accuracy"] == pytest.approx(40 / 360, abs=0.01)
    assert half["per_class_boundary_f1"]["red"] == pytest.approx(right["per_class_boundary_f1"]["red"] / 2, abs=0.01)
    assert half["per_class"]["blue"] == right["per_class"]["blue"]
    assert "tta" not in right


def test_no_image_is_a_usage_error(bundle_folder: Path, bars: np.ndarray) -> None:
    with _opened(bundle_folder) as segmenter, pytest.raises(UsageError, match="no image"):
        judge(segmenter, Bars(bars, ()))


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("red", "blue", "green"), "3 classes, the data 3; id 1 is 'green' to the model, 'blue' in the data"),
        (("red", "green"), "3 classes, the data 2; id 2 is 'blue' to the model, none in the data"),
        (("red", "green", "blue", "grey"), "3 classes, the data 4; id 3 is none to the model, 'grey' in the data"),
    ],
)
def test_the_first_class_that_differs_is_named(
    bundle_folder: Path, bars: np.ndarray, classes: tuple[str, ...], said: str
) -> None:
    with _opened(bundle_folder) as segmenter, pytest.raises(UsageError, match=said):
        judge(segmenter, Bars(bars, (0,), classes))
