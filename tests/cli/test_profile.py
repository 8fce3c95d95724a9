"""`edgeseg profile` as its user meets it: interrupted, resumed, read again, compared; and how it answers what can't be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgeseg.cli import main
from edgeseg.profile import plan
from edgeseg.profile.clip import write_street
from edgeseg.profile.rows import Row
from tests.conftest import CLASSES, COLOURS_BGR
from tests.profile.profile_rows import drawn_row


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def coloured_bars(root: Path) -> str:
    """Writes two labelled pictures of the test bundle's classes; one label in eight is wrong. Returns their address."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    (root / "val.txt").write_text("0\n1\n")
    for number in range(2):
        labels = np.arange(96).repeat(64).reshape(96, 64).T // 32
        image = COLOURS_BGR[labels].astype(np.uint8)
        labels[: 8 * number] = 0
        cv2.imwrite(str(root / "images" / f"{number}.png"), image)
        cv2.imwrite(str(root / "labels" / f"{number}.png"), labels.astype(np.uint8))
    return f"folder:{root}"


def rows(path: str) -> list[Row]:
    return json.loads(Path(path).read_text())


def test_an_interrupted_profile_keeps_its_rows_and_goes_on(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_street(Path("clip.mp4"), 6, (160, 96))
    address = coloured_bars(Path("bars"))
    command = ["profile", str(bundle_folder), "--data", address, "--engine", "onnxruntime", "--clip", "clip.mp4"]
    command += ["--rounds", "2", "--seconds", "0.2", "--json", "r.json"]
    take_turn, taken = plan.take_turn, []

    def interrupted(*arguments: Any) -> Any:
        if taken:
            raise KeyboardInterrupt
        taken.append(arguments)
        return take_turn(*arguments)

    monkeypatch.setattr(plan, "take_turn", interrupted)
    assert main(command) == 130
    assert "--resume goes on" in capsys.readouterr().out
    (row,) = rows("r.json")
    assert (row["rounds"], row["rounds_asked"]) == (1, 2)

    assert main(command) == 2
    assert "r.json.part holds a profile that was interrupted" in capsys.readouterr().err
    assert main([*command, "--resume", "--images", "1"]) == 2
    assert "was begun with images None, not 1" in capsys.readouterr().err

    monkeypatch.setattr(plan, "take_turn", take_turn)
    monkeypatch.setattr(plan, "judged", lambda *_: pytest.fail("what was judged is judged again"))
    assert main([*command, "--resume", "--csv", "r.csv", "--markdown", "r.md", "--fps", "1", "--min-miou", "0.5"]) == 0
    said = capsys.readouterr().out
    assert "Take nearest-colour FP32 on onnxruntime: " in said
    assert not Path("r.json.part").exists()
    check_row(rows("r.json"))
    assert Path("r.csv").read_text().count("\n") == 2
    assert "| `nearest-colour` | onnxruntime FP32 |" in Path("r.md").read_text()


def check_row(read: list[Row]) -> None:
    """A row has eval's fields and run's, and its parts agree with each other."""
    (row,) = read
    assert (row["id"], row["rounds"]) == ("nearest-colour onnxruntime fp32", 2)
    assert row["images"] == row["images_there"] == 2
    assert row["accuracy"]["value"] == row.get("miou")
    assert 0.8 < (row.get("miou") or 0) < 1
    assert set(row["per_class"]) == set(CLASSES)
    for run, live in ((row, False), (row["paced"], True)):
        assert run["live"] is live
        assert run["captured"] == run["delivered"] + sum(run["dropped"].values()) + run["failed"] + run["in_flight"]
        assert (run["fps"] or 0) > 0 and len(run["latency_quantiles_ms"]) == 101
        assert (run["latency_ms"]["p50"] or 0) <= (run["latency_ms"]["max"] or 0)
    assert row["dropped"] == {}
    serial = row["serial"]
    assert list(serial["stage_ms"]) == ["decode", "fit", "engine", "tail", "draw", "deliver"]
    assert sum(serial["mean_ms"].values()) == pytest.approx(serial["frame_mean_ms"])
    assert serial["mean_ms"]["remainder"] >= 0
    assert row["start"]["first_mask_s"] > row["start"]["open_s"] > 0
    assert row["start"]["rss_mb"] > row["start"]["rss_before_mb"] > 10
    assert row["network"]["parameters"] == 579
    assert (row["still"] or "").startswith("data:image/jpeg;base64,")


def test_an_earlier_profile_is_read_again_and_two_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    for name, row in (("a.json", drawn_row(1)), ("b.json", drawn_row(2, tail=5.0)), ("c.json", drawn_row(3))):
        Path(name).write_text(json.dumps([row]))
    assert main(["profile", "--from", "a.json", "--fps", "20", "--json", "-"]) == 0
    answer = capsys.readouterr()
    assert json.loads(answer.out)[0]["model"] == "net"
    assert "Take net FP32 on onnxruntime" in answer.err
    assert main(["profile", "--from", "a.json", "--precision", "int8"]) == 2
    assert "a.json has no such row, only net onnxruntime fp32" in capsys.readouterr().err
    assert main(["profile", "net", "--from", "a.json", "--precision", "fp32", "--json", "e.json"]) == 0
    assert len(rows("e.json")) == 1
    capsys.readouterr()
    assert main(["profile", "--compare", "a.json", "b.json", "--json", "d.json"]) == 0
    assert "stage tail" in capsys.readouterr().out
    changed = [change for change in json.loads(Path("d.json").read_text()) if change["beyond_noise"]]
    assert [change["before"]["name"] for change in changed if "stage" in change["before"]["name"]] == ["stage tail"]
    assert main(["profile", "--compare", "a.json", "c.json"]) == 0
    assert "0 of " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fast-scn-street"], "did you mean fast-scnn-street"),
        (["--engine", "openvin"], "did you mean openvino"),
        (["--precision", "fp23"], "did you mean fp32"),
        (["--data", "kitty:x"], "kitty"),
        (["--rounds", "0"], "--rounds 0: give 1 or more"),
        (["--seconds", "0"], "--seconds 0: give 0.2 or more"),
        (["--images", "0"], "--images 0: give 1 or more"),
        (["--min-miou", "65"], "--min-miou 65: a fraction, 0..1"),
        (["--resume"], "--json FILE"),
        (["--csv", "missing/r.csv"], "missing/r.csv can't be written"),
        (["--from", "missing.json"], "missing.json: no such file"),
        (["--compare", "broken.json", "broken.json"], "broken.json is no JSON"),
        (["--compare", "other.json", "other.json"], "row 1 is of format 7, this edgeseg reads 1"),
        (["--markdown", "mine.md"], "mine.md stands and has no lines"),
    ],
)
def test_bad_input_is_answered_in_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    Path("broken.json").write_text("[")
    Path("other.json").write_text('[{"format": 7}]')
    Path("mine.md").write_text("mine\n")
    before = sorted(path.name for path in Path().iterdir())
    assert main(["profile", "--data", "street:frames=1", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("edgeseg: ") and error.count("\n") == 1
    assert said in error
    assert sorted(path.name for path in Path().iterdir()) == before
