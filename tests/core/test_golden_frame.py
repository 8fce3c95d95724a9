"""The golden frame as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeseg.core.golden_frame import MOST, pack, unpack

ANSWERS = arrays.arrays(np.float32, (1, 2, 3, 4), elements=st.floats(-1000, 1000, width=32) | st.just(1e6))


@given(image=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))), answer=ANSWERS)
def test_the_image_comes_back_exactly_and_the_answers_nearly(
    tmp_path_factory: pytest.TempPathFactory, image: np.ndarray, answer: np.ndarray
) -> None:
    path = tmp_path_factory.getbasetemp() / "golden.npz"
    path.write_bytes(pack(image, {"logits": answer}))
    same, answers = unpack(path)
    np.testing.assert_array_equal(same, image)
    assert answers["logits"].dtype == np.float32
    np.testing.assert_allclose(answers["logits"], answer, rtol=2**-11, atol=1e-7)


@given(st.data())
def test_of_a_large_answer_a_part_is_kept_in_its_place(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    shape = data.draw(st.tuples(st.just(1), st.integers(400, 900), st.integers(100, 400)))
    answer = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 1000
    path = tmp_path_factory.getbasetemp() / "large.npz"
    path.write_bytes(pack(np.zeros((2, 2, 3), np.uint8), {"coefficients": answer}))
    _, answers = unpack(path)
    held = ~np.isnan(answers["coefficients"])
    assert answers["coefficients"].shape == shape
    assert min(MOST // 3, answer.size) <= held.sum() <= MOST
    np.testing.assert_array_equal(answers["coefficients"][held], answer[held])


@pytest.mark.parametrize("shape", [(-1, 4), (1 << 40, 1 << 40), (3, 70_001), (4,)])
def test_a_part_of_something_else_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "golden.npz"
    answer = {"coefficients": np.zeros(70_000, np.float16), "coefficients.shape": np.array(shape)}
    np.savez(path, image=np.zeros((2, 2, 3), np.uint8), **answer)
    with pytest.raises(ValueError, match="70000 values of"):
        unpack(path)


def test_what_holds_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "golden.npz"
    np.savez(path, image=np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="not uint8"):
        unpack(path)
