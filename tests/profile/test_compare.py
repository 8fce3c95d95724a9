"""What two profiles say beside each other: nothing where only noise differs, and what was changed where something was."""

from __future__ import annotations

import pytest

from edgeseg.core.errors import UsageError
from edgeseg.profile.compare import compare
from edgeseg.profile.rows import Row
from tests.profile.profile_rows import drawn_row


def changed(before: Row, after: Row) -> set[str]:
    return {change.before.name for change in compare([before], [after]).changed()}


@pytest.mark.parametrize("seed", range(10))
def test_two_profiles_of_one_machine_are_equal_within_noise(seed: int) -> None:
    assert changed(drawn_row(seed), drawn_row(seed + 100)) == set()


@pytest.mark.parametrize("seed", range(5))
def test_five_milliseconds_more_in_the_tail_are_found_as_just_that_stage(seed: int) -> None:
    found = changed(drawn_row(seed), drawn_row(seed + 100, tail=5.0))
    assert {name for name in found if name.startswith("stage ")} == {"stage tail"}
    # A frame takes as much longer, and a mask is as much older; the engine and the rate, which it sets, stay.
    assert found == {"stage tail", "a frame", "age, live, p50"}


def test_an_engine_that_sets_the_rate_changes_it() -> None:
    assert {"stage engine", "engine alone", "FPS, file"} <= changed(drawn_row(1), drawn_row(2, engine=4.0))


def test_accuracy_changes_without_noise() -> None:
    assert changed(drawn_row(1, miou=0.700), drawn_row(2, miou=0.698)) == {"miou"}


def test_rows_of_other_images_do_not_compare_in_accuracy_and_it_says_so() -> None:
    fewer = drawn_row(2, miou=0.5)
    fewer["images"] = 10
    found = compare([drawn_row(1)], [fewer])
    assert not found.changed()
    assert any("not judged on the same images" in caveat for caveat in found.caveats)


def test_names_the_rows_that_only_one_has() -> None:
    found = compare([drawn_row(1), drawn_row(1, name="old")], [drawn_row(2), drawn_row(2, name="new")])
    assert found.only_before == ("old onnxruntime fp32",)
    assert found.only_after == ("new onnxruntime fp32",)


def test_profiles_without_a_common_row_are_refused() -> None:
    with pytest.raises(UsageError, match="no row in common"):
        compare([drawn_row(1, name="old")], [drawn_row(1, name="new")])
