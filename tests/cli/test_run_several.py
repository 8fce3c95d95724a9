"""`edgeseg run` with several sources: one engine, a table, an output and a ledger each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeseg.cli import main

SMALL = "street://?size=160x96&frames=6&fps=30&seed="


def test_each_source_has_its_output_and_its_figures(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ["run", f"{SMALL}1", f"{SMALL}2", "--model", str(bundle_folder), "--no-view"]
    assert main([*run, "--masks", "masks-{n}", "--output", "clip-{n}.mp4", "--json", "figures.json"]) == 0
    figures = json.loads(Path("figures.json").read_text())
    assert [stream["source"] for stream in figures["streams"]] == [f"{SMALL}1", f"{SMALL}2"]
    for number, stream in enumerate(figures["streams"]):
        assert stream["captured"] == stream["delivered"] + sum(stream["dropped"].values()) == 6
        assert len(list(Path(f"masks-{number}").glob("*.png"))) == stream["delivered"] > 0
        assert Path(f"clip-{number}.mp4").stat().st_size > 0
    assert figures["captured"] == 12 and figures["in_flight"] == 0
    assert figures["delivered"] + sum(figures["dropped"].values()) == 12


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--output", "clip.mp4"], "--output: with several sources, put {n} into the name"),
        (["--publish", "shm://masks"], "--publish shm://masks: with several sources, put {n} into the name"),
        (["--port", "8080"], "--host and --port say where the page is: give --page too"),
    ],
)
def test_what_several_sources_can_not_share_is_refused_in_one_line(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["run", f"{SMALL}1", f"{SMALL}2", "--model", str(bundle_folder), "--no-view", *options]) == 2
    assert said in capsys.readouterr().err
