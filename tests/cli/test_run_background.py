"""`edgeseg run --background` as its user meets it."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from edgeseg.cli import main
from edgeseg.core.bundle import Bundle, write_bundle

STREET = "street://?size=320x180&frames=3&live=0"
MODEL = ["--model", "fast-scnn-street"]
FRONT = ["--keep", "car,pedestrian"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def run(*arguments: str | Path) -> int:
    return main(["run", *(str(argument) for argument in arguments), "--no-view"])


def recorded(*arguments: str) -> list[np.ndarray]:
    assert run(STREET, *MODEL, *FRONT, *arguments, "--output", "o.mp4") == 0
    with av.open("o.mp4") as clip:
        return [picture.to_ndarray(format="bgr24") for picture in clip.decode(video=0)]


def test_a_colour_lies_behind_what_is_kept_in_every_picture_of_the_clip() -> None:
    pictures = recorded("--background", "#00ff00")
    assert len(pictures) == 3
    for picture in pictures:
        green = (np.abs(picture.astype(int) - (0, 255, 0)) < 30).all(axis=2)
        assert 0.5 < green.mean() < 0.999


def test_the_masks_that_are_written_stay_those_of_the_model(bundle_folder: Path, bars: np.ndarray) -> None:
    Path("photos").mkdir()
    cv2.imwrite("photos/one.png", bars)
    for folder, background in (("with", ["--background", "blur", "--keep", "red"]), ("without", [])):
        assert run("photos", "--model", bundle_folder, *background, "--masks", folder, "--output", "o.mp4") == 0
    assert Path("with/one.png").read_bytes() == Path("without/one.png").read_bytes()


def test_a_model_with_a_class_background_needs_no_keep_and_is_named_to_others(
    bundle_folder: Path, bars: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Bundle.open(bundle_folder)
    manifest = {**_manifest(bundle), "name": "bars", "classes": ["background", "green", "blue"]}
    write_bundle(Path("engines/bars"), manifest, {name: bundle.file(name).read_bytes() for name in bundle.files})
    assert run("street://?size=64x48&frames=1&live=0", *MODEL, "--background", "blur") == 2
    error = capsys.readouterr().err
    assert "fast-scnn-street has no class 'background'" in error
    assert "--keep (sky, building," in error
    assert "take --model bars" in error
    assert error.count("\n") == 1
    Path("photos").mkdir()
    cv2.imwrite("photos/one.png", bars)
    assert run("photos", "--model", "bars", "--background", "#ffffff", "--output", "o.mp4") == 0
    with av.open("o.mp4") as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    assert np.abs(picture[60, 20] - 255).max() < 12, "the red bar is behind"
    assert np.abs(picture[60, [90, 150]] - bars[60, [90, 150]]).max() < 30, "green and blue stay"


def _manifest(bundle: Bundle) -> dict:
    return {
        "task": bundle.task,
        "architecture": bundle.architecture,
        "input": {"width": bundle.width, "height": bundle.height, "fit": bundle.fit},
        "stride": bundle.stride,
        "palette": bundle.palette,
        "ignore_id": bundle.ignore_id,
        "graphs": bundle.graphs,
        "metrics": [],
        "training": {},
        "terms": "none",
    }


def bad_inputs() -> list[tuple[list[str], str]]:
    return [
        (["--background", "nowhere.jpg", *FRONT], "no background 'nowhere.jpg'"),
        (["--background", "text.png", *FRONT], "text.png is no picture that can be read"),
        (["--background", "#green", *FRONT], "no colour '#green'"),
        (["--background", "blur", "--keep", "car,pedestrians"], "did you mean pedestrian?"),
        (["--background", "blur", "--keep", ""], "no class '' to keep"),
        (["--background", "blur", "--keep", "car,,"], "no class '' to keep"),
        (FRONT, "give --background too"),
    ]


@pytest.mark.parametrize(("arguments", "said"), bad_inputs(), ids=lambda value: str(value)[:40])
def test_bad_input_is_answered_in_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    Path("text.png").write_text("this is a letter, not a picture\n" * 50)
    assert run(STREET, *MODEL, *arguments, "--output", "o.mp4") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("edgeseg: ")
    assert error.count("\n") == 1
    assert [path.name for path in Path.cwd().iterdir()] == ["text.png"]
