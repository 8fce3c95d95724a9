"""An instance bundle answers with a mask for each thing, at the image's own size, alone and in the loop."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from av import open as open_container
from pycocotools import mask as coco

import edgeseg
from edgeseg.cli import main
from edgeseg.core.errors import BundleError
from edgeseg.core.masks import InstanceMasks
from edgeseg.runtime.segmenter import InstanceSegmenter
from edgeseg.vision.overlay import colour_of_id
from tests.runtime.coloured_halves import BLUE, CLASSES, RED, scene, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("engines") / "coloured-halves").path


def is_colour(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (image == np.array(colour, np.uint8)).all(axis=2)


def assert_covers(mask: np.ndarray, truth: np.ndarray) -> None:
    """Equal but at the edge, where a cell of the prototypes holds some of both."""
    core = cv2.erode(truth.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)
    reach = cv2.dilate(truth.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)
    assert core.any()
    assert mask[core].all()
    assert not mask[~reach].any()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_each_thing_has_its_mask_at_the_images_own_size(folder: Path, engine: str) -> None:
    image = scene(300, 200)
    with edgeseg.load(folder, engine=engine, precision="fp32", threads=1) as model:
        things = model(image)
        assert [stage.name for stage in model.stages] == ["fit", "engine", "tail"]
        none = model(np.full((50, 70, 3), 90, np.uint8))
    assert isinstance(things, InstanceMasks)
    assert isinstance(none, InstanceMasks)
    assert (things.masks.shape, things.classes, things.ids) == ((2, 200, 300), CLASSES, None)
    for name, colour in (("red", RED), ("blue", BLUE)):
        (thing,) = np.flatnonzero(things.labels == CLASSES.index(name))
        assert_covers(things.masks[thing], is_colour(image, colour))
        assert things.scores[thing] > 0.9
        left = 0 if name == "red" else 150
        np.testing.assert_allclose(things.boxes[thing], [left, 0, left + 150, 200])
    assert none.masks.shape == (0, 50, 70)


def test_what_the_network_says_can_be_had_before_the_tail_and_outlives_the_next_frame(folder: Path) -> None:
    # The engine that writes every frame's outputs into the same buffers.
    with edgeseg.load(folder, engine="openvino", precision="fp32", threads=1) as model:
        assert isinstance(model, InstanceSegmenter)
        first = model.outputs(scene(96, 64))
        kept = first.scores.copy()
        model.outputs(np.zeros((64, 96, 3), np.uint8))
    assert [array.shape for array in first] == [(2, 4), (2, 2), (2, 3), (3, 16, 24)]
    np.testing.assert_array_equal(first.scores, kept)


def test_a_graph_of_other_classes_is_refused_in_one_line(tmp_path: Path) -> None:
    palette = [[1, 2, 3]] * 3
    bundle = write(tmp_path / "three", classes=["red", "blue", "green"], palette=palette)
    with pytest.raises(BundleError, match=r"instance graph of 3 classes .* scores \[1, 2, 2\]") as raised:
        edgeseg.load(bundle.path, engine="onnxruntime", precision="fp32", threads=1)
    assert "\n" not in str(raised.value)


def test_a_semantic_graph_that_says_it_finds_things_is_refused(tmp_path: Path, bundle_folder: Path) -> None:
    copy = tmp_path / "liar"
    copy.mkdir()
    for file in bundle_folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes().replace(b'"semantic"', b'"instances"'))
    with pytest.raises(BundleError, match=r"ends at boxes .* this one at logits \[1, 3, 8, 12\]"):
        edgeseg.load(copy, engine="onnxruntime", precision="fp32", threads=1)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Five pictures of the discs as they move, and one of nothing."""
    where = tmp_path / "in"
    where.mkdir()
    for index in range(5):
        cv2.imwrite(str(where / f"{index}.png"), scene(320, 240, moved=0.01 * index))
    cv2.imwrite(str(where / "5.png"), np.full((240, 320, 3), 90, np.uint8))
    return where


def run(folder: Path, *arguments: object) -> int:
    fixed = ("--model", folder, "--engine", "onnxruntime", "--precision", "fp32", "--no-view")
    return main([str(word) for word in ("run", *arguments, *fixed)])


def test_a_run_records_and_writes_what_it_finds(folder: Path, pictures: Path, tmp_path: Path) -> None:
    clip, masks, figures = tmp_path / "o.mp4", tmp_path / "m", tmp_path / "f.json"
    assert run(folder, pictures, "--output", clip, "--masks", masks, "--json", figures) == 0
    lines = [json.loads(line) for line in (masks / "instances.jsonl").read_text().splitlines()]
    assert [len(line["instances"]) for line in lines] == [2, 2, 2, 2, 2, 0]
    for index, line in enumerate(lines[:5]):
        image = scene(320, 240, moved=0.01 * index)
        for thing in line["instances"]:
            mask = coco.decode(thing["segmentation"]).astype(bool)
            assert_covers(mask, is_colour(image, RED if thing["category"] == "red" else BLUE))
    with open_container(str(clip)) as recorded:
        frames = [frame.to_ndarray(format="bgr24") for frame in recorded.decode(video=0)]
    assert len(frames) == 6
    (number,) = {thing["id"] for thing in lines[0]["instances"] if thing["category"] == "red"}
    half = (np.array(RED) + colour_of_id(number)[::-1]) / 2
    assert abs(frames[0][120, 80] - half).max() < 25, "half red, half the colour of its identity"
    said = json.loads(figures.read_text())
    assert {"fit", "engine", "tail"} <= set(said["stage_ms"])
    assert (said["captured"], said["delivered"], said["failed"], said["model"]) == (6, 6, 0, "coloured-halves")


def test_a_background_goes_behind_the_things_that_stay(folder: Path, pictures: Path, tmp_path: Path) -> None:
    clip = tmp_path / "b.mp4"
    behind = ("--background", "#ffffff", "--keep", "red")
    assert run(folder, pictures, "--max-frames", 1, "--output", clip, *behind) == 0
    with open_container(str(clip)) as recorded:
        frame = next(recorded.decode(video=0)).to_ndarray(format="bgr24")
    assert abs(frame[120, 80].astype(int) - RED).max() < 25
    assert frame[120, 240].min() > 230
    assert frame[200, 160].min() > 230
