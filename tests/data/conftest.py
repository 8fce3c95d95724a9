"""What the tests of data sets share: a few frames of the street, small, with exact labels."""

from __future__ import annotations

import pytest

from edgeseg.synthetic import Street, StreetView


@pytest.fixture(scope="session")
def frames() -> list[StreetView]:
    """Three views of 96x64."""
    street = Street(1, 96, 64)
    return [street.render(index) for index in (0, 300, 600)]
