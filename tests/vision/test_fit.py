"""An image becomes the network's size, and only an image does."""

from __future__ import annotations

import numpy as np
import pytest

from edgeseg.core.errors import UsageError
from edgeseg.vision.fit import stretch


def test_both_sides_are_scaled_and_nothing_is_cut_off(bars: np.ndarray) -> None:
    fitted = stretch(bars, 96, 64)
    assert fitted.shape == (64, 96, 3)
    np.testing.assert_array_equal(fitted[0, 0], bars[0, 0])
    np.testing.assert_array_equal(fitted[-1, -1], bars[-1, -1])


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 4, 3), np.float32),
        np.zeros((3, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        [1],
    ],
)
def test_anything_else_is_refused_with_what_it_is(wrong: object) -> None:
    with pytest.raises(UsageError, match=r"uint8 \[H, W, 3\]"):
        stretch(wrong, 96, 64)  # type: ignore[arg-type]
