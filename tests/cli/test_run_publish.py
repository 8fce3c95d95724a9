"""`edgeseg run --publish ... --record ...`: several ways out at once, beside the loop."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from mcap.reader import make_reader

from edgeseg.cli import main
from tests.streaming.protobuf import fields

FRAMES = 8


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bars) -> None:
    import cv2

    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for number in range(FRAMES):
        cv2.imwrite(f"photos/{number}.png", bars)


def run(bundle: Path, *arguments: str) -> int:
    command = ["run", "photos", "--model", str(bundle), "--engine", "onnxruntime", "--no-view", *arguments]
    return main(command)


def figures() -> dict:
    return json.loads(Path("s.json").read_text())


def name() -> str:
    return f"test-{os.getpid()}"


def labels_in(path: str) -> list[set[int]]:
    """The ids in each label map of a recording."""
    with Path(path).open("rb") as file:
        return [set(bytes(fields(m.data)[6])) for _, _, m in make_reader(file).iter_messages(["/labels"])]


def test_several_ways_out_at_once_and_a_recording_of_every_frame(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ways = ["--publish", f"shm://{name()}", "--publish", "foxglove://:0", "--record", "r.mcap"]
    assert run(bundle_folder, *ways, "--json", "s.json") == 0
    said = figures()
    shm, foxglove, record = said["published"]
    assert shm["address"] == f"shm://{name()}"
    assert shm["published"] + shm["missed"] == said["delivered"] == FRAMES
    assert foxglove["address"].startswith("foxglove://127.0.0.1:")
    assert (record["address"], record["published"], record["missed"], record["error"]) == ("r.mcap", FRAMES, 0, "")
    assert said["outputs"] == ["r.mcap"]
    assert labels_in("r.mcap") == [{0, 1, 2}] * FRAMES
    assert f"publishing on shm://{name()}" in capsys.readouterr().out
    assert not Path(f"/dev/shm/edgeseg-{name()}").exists()


def test_only_the_chosen_classes_leave(bundle_folder: Path) -> None:
    assert run(bundle_folder, "--record", "r.mcap", "--classes", "red, blue") == 0
    assert labels_in("r.mcap") == [{0, 2, 255}] * FRAMES


def test_a_recording_that_stops_lets_the_loop_go_on_and_is_the_exit_status(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str], full_disk
) -> None:
    with full_disk(3_000):
        status = run(bundle_folder, "--record", "r.mcap")
    out, error = capsys.readouterr()
    assert status == 1
    assert error.startswith("edgeseg: r.mcap: recording stopped after")
    assert error.count("\n") == 1
    assert f"{FRAMES} delivered" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--publish", "mqtt://a"], 2, "give ros2://TOPIC"),
        (["--publish", "shm://a/b"], 2, "letters, digits"),
        (["--record", "r.mp4"], 2, "ends in .mcap"),
        (["--record", "missing/r.mcap"], 1, "can't be written"),
        (["--classes", "red"], 2, "give one of them too"),
        (["--publish", "shm://test-a", "--classes", "rad"], 2, "did you mean red"),
        (["--publish", "shm://test-a", "--publish", "shm://test-a"], 1, "is in use"),
    ],
)
def test_bad_input_is_answered_in_one_line_and_leaves_nothing(
    bundle_folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    assert run(bundle_folder, *arguments) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("edgeseg: ")
    assert error.count("\n") == 1
    assert [path.name for path in Path.cwd().iterdir()] == ["photos"]
    assert not Path("/dev/shm/edgeseg-test-a").exists()
