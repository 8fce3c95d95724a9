"""Colours that were made up can be told apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from edgeseg.data.palette import distinct_colours


def test_the_same_colours_come_every_time_and_the_first_do_not_depend_on_how_many_follow() -> None:
    assert distinct_colours(5) == distinct_colours(9)[:5]


@pytest.mark.parametrize(("count", "apart"), [(6, 120), (12, 70), (20, 50)])
def test_colours_are_far_from_each_other_and_from_those_taken(count: int, apart: float) -> None:
    taken = [(250, 40, 40), (40, 200, 60)]
    colours = [*taken, *distinct_colours(count - 2, taken)]
    nearest = min(float(np.linalg.norm(np.subtract(a, b))) for a, b in combinations(colours, 2))
    assert nearest > apart


def test_there_are_colours_for_as_many_classes_as_a_label_map_can_hold() -> None:
    assert len(set(distinct_colours(255))) == 255
