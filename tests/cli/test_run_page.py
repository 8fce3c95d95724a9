"""`edgeseg run --page`: the address that it prints serves the page, and a stop ends it in order."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


STREET = "street://?size=160x96&fps=30"


@pytest.mark.parametrize("sources", [[STREET], [STREET, f"{STREET}&seed=2"]], ids=["one source", "two sources"])
def test_the_printed_address_serves_the_page_until_the_run_is_stopped(
    bundle_folder: Path, tmp_path: Path, sources: list[str]
) -> None:
    command = [sys.executable, "-m", "edgeseg", "run", *sources, "--model", str(bundle_folder)]
    run = subprocess.Popen(
        [*command, "--page", "--port", "0", "--no-view", "--json", "figures.json"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )
    assert run.stdout is not None
    try:
        found = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in run.stdout)
        address = next(filter(None, found))
        with urllib.request.urlopen(address.group(), timeout=60) as answer:
            page = answer.read().decode()
        assert "<canvas" in page and "edgeseg" in page
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=120)
    finally:
        run.kill()  # the street never ends by itself
        run.communicate()
    assert run.returncode == 130
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [each["source"] for each in figures.get("streams", [figures])] == sources
