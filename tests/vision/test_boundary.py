"""Contours against an example worked by hand, and against distances that anyone can check."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeseg.core.errors import UsageError
from edgeseg.vision.boundary import TOLERANCE, BoundaryF1, boundary_f1


def halves(edge: int, height: int = 100, width: int = 200) -> np.ndarray:
    """Class 0 left of column `edge`, class 1 from there on."""
    labels = np.zeros((height, width), np.uint8)
    labels[:, edge:] = 1
    return labels


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 1.0), (2, 0.0), (-1, 1.0), (-2, 0.0)])
def test_a_contour_may_lie_as_far_off_as_the_tolerance_and_no_further(shift: int, expected: float) -> None:
    # The diagonal is 223.6 pixels, 0.0075 of it 1.68.
    f1 = boundary_f1(halves(80), halves(80 + shift))
    assert f1[:2].tolist() == [expected, expected]
    assert np.isnan(f1[2:]).all()


def test_an_example_worked_by_hand() -> None:
    truth = halves(80)
    predicted = halves(80)
    predicted[50:, 80:] = 0
    # Class 1 keeps rows 0 to 49 of columns 80 to 199: of its upright contour 50 pixels, and 119 more of a new lower one.
    # The truth meets those 50, and of the lower one the pixel beside them; of its own 100, rows 0 to 50 are met.
    f1 = boundary_f1(truth, predicted)
    precision, recall = (50 + 1) / (50 + 119), 51 / 100
    assert f1[1] == pytest.approx(2 * precision * recall / (precision + recall))


def test_what_is_ignored_makes_no_contour_in_either_map() -> None:
    truth = halves(80)
    truth[:, 78:82] = 255
    assert np.isnan(boundary_f1(truth, halves(80))).all()
    assert np.isnan(boundary_f1(halves(80) * 7, halves(80) * 7, ignore_id=7)).all()


def test_a_class_on_one_side_only_counts_nothing_and_the_image_border_is_no_contour() -> None:
    everywhere = np.zeros((100, 200), np.uint8)
    assert np.isnan(boundary_f1(everywhere, everywhere)).all()
    assert boundary_f1(everywhere, halves(80))[:2].tolist() == [0.0, 0.0]
    assert boundary_f1(halves(80), everywhere)[:2].tolist() == [0.0, 0.0]


def test_an_image_says_nothing_about_classes_that_have_no_contour_in_it() -> None:
    judged = BoundaryF1(("a", "b", "c", "d"))
    assert math.isnan(judged.mean())
    judged.add(halves(80), halves(80))
    judged.add(halves(80), halves(90))
    judged.add(halves(80) * 2, halves(80) * 2)
    assert judged.by_class()[:3].tolist() == pytest.approx([2 / 3, 1 / 2, 1.0])
    assert math.isnan(judged.by_class()[3])
    assert judged.mean() == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_sizes_that_differ_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="give both one size"):
        BoundaryF1(("a", "b")).add(halves(80), halves(80).T)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_equals_a_plain_search_over_all_pairs(data: st.DataObject) -> None:
    # 12 x 200 pixels, so that the tolerance is 1.5, in blocks, so that not every pixel is a contour.
    cells = hnp.arrays(np.uint8, (4, 50), elements=st.sampled_from([0, 1, 2, 9]))
    truth, predicted = (np.kron(data.draw(cells), np.ones((3, 4), np.uint8)) for _ in range(2))
    predicted = np.roll(predicted, data.draw(st.integers(-2, 2)), axis=1)
    f1 = boundary_f1(truth, predicted, ignore_id=9)
    reach = TOLERANCE * math.hypot(*truth.shape)
    for label in (0, 1, 2):
        sets = [plain_contour(labels, truth == 9, label) for labels in (truth, predicted)]
        shares = [
            sum(any(math.dist(p, q) <= reach for q in other) for p in one) / len(one) if one else 0.0
            for one, other in (sets, sets[::-1])
        ]
        if not sets[0] and not sets[1]:
            assert math.isnan(f1[label])
        else:
            assert f1[label] == pytest.approx(2 * shares[0] * shares[1] / sum(shares) if all(shares) else 0.0)


def plain_contour(labels: np.ndarray, ignored: np.ndarray, label: int) -> list[tuple[int, int]]:
    judged = {(int(y), int(x)): int(labels[y, x]) for y, x in np.argwhere(~ignored)}
    return [
        (y, x)
        for (y, x), own in judged.items()
        if own == label
        and any(judged.get(beside, own) != own for beside in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)))
    ]
