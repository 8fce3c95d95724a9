"""`edgeseg run` as its user meets it: what it delivers, what it writes, and how it answers what can't be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from edgeseg.cli import main

STREET = "street://?size=160x96&frames=12&live=0"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def run(*arguments: str | Path) -> int:
    return main(["run", *(str(argument) for argument in arguments), "--no-view"])


def figures(path: str) -> dict:
    return json.loads(Path(path).read_text())


def test_a_source_becomes_a_clip_masks_and_figures(bundle_folder: Path) -> None:
    assert run(STREET, "--model", bundle_folder, "--output", "o.mp4", "--masks", "m", "--json", "s.json") == 0
    with av.open("o.mp4") as clip:
        pictures = list(clip.decode(video=0))
    assert [(picture.width, picture.height) for picture in pictures] == [(160, 96)] * 12
    masks = sorted(Path("m").iterdir())
    assert len(masks) == 12
    with Image.open(masks[0]) as mask:
        assert mask.mode == "P"
        assert mask.size == (160, 96)
    said = figures("s.json")
    assert said["captured"] == said["delivered"] == 12
    assert (said["dropped"], said["failed"], said["in_flight"]) == ({}, 0, 0)
    assert set(said["latency_ms"]) == {"p50", "p95", "p99", "max"}
    assert {"decode", "fit", "engine", "tail", "sinks"} == set(said["stage_ms"])
    assert said["engine"]["name"] in {"openvino", "onnxruntime"}
    assert said["model"] == "nearest-colour"
    assert said["outputs"] == ["o.mp4", "m"]


def test_a_folder_of_images_gives_a_mask_named_after_each(bundle_folder: Path, bars: np.ndarray) -> None:
    Path("photos").mkdir()
    for name in ("one", "two"):
        cv2.imwrite(f"photos/{name}.png", bars)
    assert run("photos", "--model", bundle_folder, "--masks", "m") == 0
    assert sorted(path.name for path in Path("m").iterdir()) == ["one.png", "two.png"]
    with Image.open("m/one.png") as mask:
        labels = np.asarray(mask)
    assert [int(labels[60, x]) for x in (30, 90, 150)] == [0, 1, 2]


def test_max_frames_ends_it(bundle_folder: Path) -> None:
    assert run("street://?size=160x96&live=0", "--model", bundle_folder, "--max-frames", "5", "--json", "s.json") == 0
    said = figures("s.json")
    assert said["delivered"] == 5
    assert said["captured"] == 5 + sum(said["dropped"].values())


def test_json_on_standard_output_is_all_that_stands_there(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(STREET, "--model", bundle_folder, "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["delivered"] == 12


def test_the_shipped_model_is_measured_against_the_streets_truth() -> None:
    assert run("street://?size=320x180&frames=6&live=0", "--json", "s.json") == 0
    assert figures("s.json")["truth"]["pixel_accuracy"] > 0.5


def test_a_clip_cut_off_in_the_middle_is_delivered_up_to_the_cut_and_reported(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("street://?size=160x96&frames=60&live=0", "--model", bundle_folder, "--output", "whole.mp4") == 0
    whole = Path("whole.mp4").read_bytes()
    Path("cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    capsys.readouterr()
    assert run("cut.mp4", "--model", bundle_folder, "--output", "o.mp4", "--json", "s.json") == 1
    assert "cut.mp4 is cut off" in capsys.readouterr().err
    assert 0 < figures("s.json")["delivered"] < 60
    with av.open("o.mp4") as clip:
        assert sum(1 for _ in clip.decode(video=0)) == figures("s.json")["delivered"]


def bad_inputs() -> list[tuple[list[str], int, str]]:
    return [
        (["nowhere.mp4"], 1, "no such file: nowhere.mp4"),
        (["empty"], 1, "empty"),
        (["text.mp4"], 1, "text.mp4 is no video"),
        (["99"], 1, "99"),
        (["rtsp://127.0.0.1:9/cam"], 1, "127.0.0.1:9"),
        (["ftp://host/clip"], 2, "no kind of source begins with ftp://"),
        (["street://?sed=1"], 2, "sed"),
        (["fault://?stall=2&inner=street://"], 2, "stall"),
        ([STREET, "--engine", "onnx"], 2, "no engine 'onnx'"),
        ([STREET, "--precision", "fp64"], 2, "no precision 'fp64'"),
        ([STREET, "--max-frames", "0"], 2, "give 1 or more"),
        ([STREET, "--output", "o.gif"], 2, "ends in .mp4"),
        ([STREET, "--output", "missing/o.mp4"], 1, "missing/o.mp4 can't be written"),
        ([STREET, "--masks", "text.mp4/m"], 1, "text.mp4/m can't be written"),
        ([STREET, "--json", "missing/s.json"], 2, "missing does not exist"),
    ]


@pytest.mark.parametrize(("arguments", "status", "said"), bad_inputs(), ids=lambda value: str(value)[:40])
def test_bad_input_is_answered_in_one_line_and_leaves_nothing(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    Path("empty").mkdir()
    Path("text.mp4").write_text("this is a letter, not a video\n" * 50)
    assert run(*arguments, "--model", bundle_folder) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("edgeseg: ")
    assert error.count("\n") == 1
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["empty", "text.mp4"]


def test_an_unknown_model_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(STREET, "--model", "fast-scn-street") == 2
    assert "did you mean fast-scnn-street" in capsys.readouterr().err


def test_ctrl_c_finishes_the_clip_and_prints_the_table(bundle_folder: Path) -> None:
    command = [sys.executable, "-m", "edgeseg", "run", "street://?size=160x96", "--no-view", "--output", "o.mp4"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [*command, "--model", str(bundle_folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        deadline = time.monotonic() + 60
        while not list(Path.cwd().glob(".o-*.mp4")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "captured =" in said
    assert error == ""
    with av.open("o.mp4") as clip:
        assert sum(1 for _ in clip.decode(video=0)) > 0
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["o.mp4"]
