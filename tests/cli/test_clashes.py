"""What a user has is not replaced by what edgeseg writes."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeseg.cli import main
from edgeseg.cli.output import check_json_file, write_json
from edgeseg.core.errors import UsageError


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos in pngs/, in CamVid's layout too, and a clip that nobody would open."""
    monkeypatch.chdir(tmp_path)
    for folder in ("pngs", "set/train", "set/trainannot"):
        Path(folder).mkdir(parents=True)
        for name in ("a", "b"):
            cv2.imwrite(f"{folder}/{name}.png", np.zeros((32, 32), np.uint8))
    Path("clip.mp4").write_bytes(b"mine")
    Path("link.json").symlink_to("clip.mp4")
    Path("hard.csv").hardlink_to("clip.mp4")
    Path("old.json").write_text("[]")
    Path("links").mkdir()
    Path("links/train").symlink_to("../set/train")
    Path("links/round").symlink_to(".")
    Path("links/a.png").symlink_to("../pngs/a.png")
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "run pngs/ --masks pngs/",
        "run pngs/a.png --masks pngs",
        "run pngs/*.png --masks ./pngs/",
        "run clip.mp4 --output clip.mp4",
        "run clip.mp4 --output ./pngs/../clip.mp4",
        "run clip.mp4 --json clip.mp4",
        "run clip.mp4 --json link.json",
        "run pngs --json pngs/a.png",
        "eval fast-scnn-street --data camvid:set --split train --worst set/train/a.png",
        "eval fast-scnn-street --data camvid:set@train --json set/train/b.png",
        "eval fast-scnn-street --data camvid:links --json set/train/b.png",
        "run fault://?seed=3&inner=clip.mp4 --json clip.mp4",
        "run links --masks pngs",
        "run clip.mp4 --background pngs/a.png --json pngs/a.png",
        "profile --data camvid:set --html set/train/a.png",
        "profile --clip clip.mp4 --json clip.mp4",
        "profile --clip clip.mp4 --csv hard.csv",
        "profile --compare old.json clip.mp4 --json old.json",
        "profile --from old.json --json old.json",
        "quantize fast-scnn-street --data camvid:set --json set/train/a.png",
        "export clip.mp4 --out new --json clip.mp4",
        "export clip.mp4 --out new --labels hard.csv",
    ],
)
def test_an_output_that_is_an_input_is_refused_before_anything_opens(
    line: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    assert main(line.split()) == 2
    said = capsys.readouterr().err
    assert "would write over what is read" in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()} == before


def test_masks_beside_a_clip_and_figures_in_a_folder_that_is_read_are_no_clash(
    bundle_folder: Path, photos: Path
) -> None:
    line = ["run", "pngs", "--model", str(bundle_folder), "--no-view", "--masks", "masks", "--json", "pngs/n.json"]
    for _again in range(2):
        assert main(line) == 0
        assert json.loads(Path("pngs/n.json").read_text())["delivered"] == 2


def test_json_goes_into_a_pipe_and_a_device_and_behind_a_link(tmp_path: Path) -> None:
    write_json("/dev/null", {"a": 1})
    assert Path("/dev/null").is_char_device()
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link").symlink_to("real.json")
    write_json(str(tmp_path / "link"), {"a": 2})
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == {"a": 2}
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_json(str(tmp_path / "pipe"), {"a": 3})
    reader.join(10)
    assert json.loads(got[0]) == {"a": 3}
    assert (tmp_path / "pipe").is_fifo()


def test_json_that_can_not_be_written_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("mine")
    kept.chmod(0o444)
    with pytest.raises(UsageError, match=r"kept\.json: that file is read-only; choose another place"):
        check_json_file(str(kept))
    check_json_file("/dev/null")
    # Whoever runs the tests as root may write everywhere, so that the system's answer is put in its place.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(UsageError, match="can't be written to; choose another place"):
        check_json_file(str(tmp_path / "new.json"))
