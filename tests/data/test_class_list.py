"""classes.txt: names by line, colours where they are given, and errors that name the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeseg.core.errors import EdgesegError
from edgeseg.data.class_list import read_class_list


def read(folder: Path, text: str) -> tuple[tuple[str, ...], tuple[tuple[int, int, int], ...]]:
    (folder / "classes.txt").write_text(text, encoding="utf-8")
    return read_class_list(folder / "classes.txt")


def test_a_line_is_a_class_with_a_colour_where_it_says_one(tmp_path: Path) -> None:
    names, palette = read(tmp_path, "soil 120 80 40\ntraffic light #FF8800\nweed 2\n\n")
    assert names == ("soil", "traffic light", "weed 2")
    assert palette[:2] == ((120, 80, 40), (255, 136, 0))
    assert palette[2] not in palette[:2]


def test_a_colour_that_is_made_up_stays_away_from_those_given(tmp_path: Path) -> None:
    first_made = read(tmp_path, "soil")[1][0]
    _, (given, made) = read(tmp_path, "soil {} {} {}\nweed".format(*first_made))
    assert given == first_made
    assert made != first_made


def test_an_editor_s_byte_order_mark_and_line_ends_are_no_part_of_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffsoil\r\nweed \r\n")[0] == ("soil", "weed")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"classes\.txt: 0 classes; write 1 to 255"),
        ("\n".join(f"c{i}" for i in range(256)), r"classes\.txt: 256 classes"),
        ("a\n\nb", r"classes\.txt, line 2: empty"),
        ("a\nb\na", r"classes\.txt, line 3: 'a' stands in line 1"),
        ("a 1 2 256", r"classes\.txt, line 1: colour 1 2 256"),
    ],
)
def test_an_unsound_list_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EdgesegError, match=said):
        read(tmp_path, text)


def test_a_missing_list_and_one_that_is_not_text_name_themselves(tmp_path: Path) -> None:
    with pytest.raises(EdgesegError, match=r"classes\.txt: missing; write one class a line"):
        read_class_list(tmp_path / "classes.txt")
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EdgesegError, match=r"classes\.txt: can't be read as UTF-8 text"):
        read_class_list(tmp_path / "classes.txt")
