"""The models that ship open as `run` opens them: each is held to its golden frame in what this machine would take."""

from __future__ import annotations

import pytest

import edgeseg
from edgeseg.core.catalog import catalog


@pytest.mark.parametrize("precision", ["auto", "fp32", "int8"])
@pytest.mark.parametrize("name", sorted(catalog()))
def test_a_shipped_model_opens(name: str, precision: str) -> None:
    with edgeseg.load(name, precision=precision) as model:
        assert precision in ("auto", model.engine.precision)
