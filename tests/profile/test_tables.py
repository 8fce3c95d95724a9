"""The tables of a profile: in a README between its markers, and for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from edgeseg.core.errors import UsageError
from edgeseg.profile.rows import read_rows
from edgeseg.profile.tables import BEGIN, END, csv_table, markdown_table, placed
from tests.profile.profile_rows import drawn_row


def test_the_table_replaces_what_stands_between_the_markers_and_nothing_else(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    table = markdown_table([drawn_row(1)])
    readme.write_text(placed(table, readme))
    once = readme.read_text()
    assert once.startswith("# Before\n") and once.endswith("\n\nAfter.\n")
    assert "old" not in once and "| `net` | onnxruntime FP32 | 576x384 | mIoU 70.0 % |" in once
    readme.write_text(placed(table, readme))
    assert readme.read_text() == once


def test_every_day_on_which_a_row_was_measured_is_named() -> None:
    rows = [drawn_row(1), {**drawn_row(2), "date": "2025-12-31T23:59:00+00:00"}, drawn_row(3)]
    assert "cores, 2025-12-31, 2026-01-01, by `edgeseg profile`" in markdown_table(rows)


def test_an_accuracy_over_images_that_were_trained_on_is_marked() -> None:
    plain, seen = drawn_row(), drawn_row()
    seen["trained_on"] = True
    assert "†" not in markdown_table([plain])
    table = markdown_table([plain, seen])
    assert table.count("% † |") == 1
    assert "† trained on these images" in table


def test_a_file_without_markers_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    for text in ("# Mine\n", f"# Mine {END} then {BEGIN}\n"):
        readme.write_text(text)
        with pytest.raises(UsageError, match="<!-- profile -->"):
            placed("table", readme)


def test_a_new_file_gets_the_markers_too(tmp_path: Path) -> None:
    fresh = tmp_path / "table.md"
    fresh.write_text(placed("one\n", fresh))
    assert "two" in placed("two\n", fresh) and "one" not in placed("two\n", fresh)


def test_the_spreadsheet_has_the_rows_numbers_and_nothing_for_what_is_not_known() -> None:
    row = drawn_row(1)
    (read,) = csv.DictReader(io.StringIO(csv_table([row])))
    assert float(read["fps"]) == row["fps"]
    assert float(read["accuracy"]) == 0.7
    assert read["gpu_mb"] == ""


def test_rows_come_back_from_json_as_they_were(tmp_path: Path) -> None:
    row = drawn_row(1)
    (tmp_path / "r.json").write_text(json.dumps([row]))
    (read,) = read_rows(tmp_path / "r.json")
    assert json.loads(json.dumps(row)) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON"),
        ("{}", "not a profile"),
        ("[1]", "not a profile"),
        ('[{"format": 99}]', "row 1 is of format 99, this edgeseg reads 1"),
        ('[{"format": 1, "id": "x"}]', "row 1 has no 'accuracy'"),
    ],
)
def test_what_is_no_profile_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as refused:
        read_rows(path)
    assert "\n" not in str(refused.value) and "r.json" in str(refused.value)
