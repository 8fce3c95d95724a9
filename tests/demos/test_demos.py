"""Each demo runs as its first lines say, on the built-in street, and stays short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.profile.profile_rows import drawn_row

DEMOS = Path(__file__).parents[2] / "demos"


@pytest.mark.parametrize(
    ("demo", "arguments", "said"),
    [("01_webcam.py", ["street://?size=320x180&frames=40", "1"], "road")],
)
def test_a_demo_runs_as_it_says(demo: str, arguments: list[str], said: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(DEMOS.parent)}
    command = [sys.executable, str(DEMOS / demo), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    assert said in answer.stdout


def test_the_demo_of_fps_against_miou_draws_a_profile(tmp_path: Path) -> None:
    rows = [
        drawn_row(1, name="quick", miou=0.6, engine=1.0),
        drawn_row(2, name="right"),
        drawn_row(3, name="beaten", miou=0.5),
    ]
    (tmp_path / "r.json").write_text(json.dumps(rows))
    environment = {**os.environ, "PYTHONPATH": str(DEMOS.parent)}
    command = [sys.executable, str(DEMOS / "03_fps_vs_miou.py"), str(tmp_path / "r.json")]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[:2] for line in answer.stdout.splitlines()[:3]] == [
        ["a", "quick"],
        ["B", "right"],
        ["c", "beaten"],
    ]


def test_every_demo_is_at_most_40_lines() -> None:
    assert all(len(demo.read_text().splitlines()) <= 40 for demo in DEMOS.glob("*.py"))
