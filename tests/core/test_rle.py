"""Masks in COCO's run-length encoding are what pycocotools writes and reads."""

from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco

from edgeseg.core import rle
from edgeseg.core.errors import EdgesegError

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(masks, st.integers(1, 40))
def test_what_we_write_is_what_pycocotools_writes(mask: np.ndarray, zoom: int) -> None:
    large = np.kron(mask, np.ones((zoom, 1), dtype=bool))
    theirs = coco.encode(np.asfortranarray(large.astype(np.uint8)))
    assert rle.encode(large) == {"size": list(large.shape), "counts": str(theirs["counts"], "ascii")}  # type: ignore[arg-type]


@given(masks)
def test_a_mask_comes_back_as_it_was(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(rle.decode(rle.encode(mask)), mask)


def test_counts_that_do_not_fill_the_size_are_refused() -> None:
    encoded = rle.encode(np.eye(5, dtype=bool))
    with pytest.raises(EdgesegError, match="said to be 6x5"):
        rle.decode({"size": [6, 5], "counts": encoded["counts"]})
