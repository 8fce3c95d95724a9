"""Each demo runs as its first lines say, on the built-in street, and stays short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_every_demo_is_at_most_40_lines() -> None:
    assert all(len(demo.read_text().splitlines()) <= 40 for demo in DEMOS.glob("*.py"))
