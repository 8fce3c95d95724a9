"""What the tests of training share: a few frames of the street, small, and a recipe that is done with them in a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
import torch

from edgeseg.synthetic import Street
from edgeseg.train.recipe import Recipe, View

Recipes = Callable[..., Recipe]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Layers this small only wait for each other on several cores, and the more so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def street_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of the street to train on and two to measure on, 128x96, in CamVid's layout."""
    root = tmp_path_factory.mktemp("frames")
    street = Street(21, 128, 96)
    for number in range(10):
        view = street.render(50 * number)
        split = "train" if number < 8 else "val"
        for folder, pixels in ((split, view.image), (f"{split}annot", view.labels)):
            (root / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(root / folder / f"{number}.png"), pixels)
    return root


@pytest.fixture(scope="session")
def small_recipe(street_folder: Path) -> Recipe:
    """Two epochs of two steps, into a folder that is not there."""
    small = View(input_size=(96, 64), crop=(64, 64))
    data = (f"camvid:{street_folder}",)
    return Recipe("fast-scnn", data, Path("nowhere"), epochs=2, batch=4, lr=0.02, view=small, device="cpu")


@pytest.fixture
def recipe(small_recipe: Recipe, tmp_path: Path) -> Recipes:
    """recipe(**changes): the small recipe, into the test's own folder."""
    return lambda **changes: dataclasses.replace(small_recipe, **{"out": tmp_path / "run", **changes})
