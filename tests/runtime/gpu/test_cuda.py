"""Without a GPU, asking for one is an error of one line that says what to do."""

from __future__ import annotations

import pytest

from edgeseg.core.errors import EngineError
from edgeseg.runtime.gpu.cuda import blocks
from edgeseg.runtime.gpu.driver import find_gpu
from edgeseg.runtime.gpu.opening import open_cuda


def test_a_machine_without_a_driver_is_told_so_in_one_line() -> None:
    pytest.importorskip("cuda.bindings", reason="cuda-bindings is not installed")
    if find_gpu() is not None:
        pytest.skip("there is a GPU here")
    with pytest.raises(EngineError, match="--engine onnxruntime") as caught:
        open_cuda()
    assert "\n" not in str(caught.value)


def test_blocks_cover_every_thread_and_no_more_than_a_block_beyond() -> None:
    assert blocks((576, 384, 1)) == (18, 48, 1)
    assert blocks((577, 385, 7)) == (19, 49, 7)
    assert blocks((1, 1, 1)) == (1, 1, 1)
