"""`torchrun` with two processes: one result on both, and that of one process at the same batch."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from edgeseg.train import loop
from edgeseg.train.peers import Peers
from edgeseg.train.recipe import Recipe
from tests.train.conftest import Recipes

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from contextlib import nullcontext
from safetensors.torch import save_file
from edgeseg.cli import main
from edgeseg.train import loop
from edgeseg.train.peers import joined
from tests.train.test_peers import hold_still

def keep_what_each_process_has(run, stepped):
    loss = one_epoch(run, stepped)
    weights = {name: value.contiguous() for name, value in run.network.state_dict().items()}
    save_file(weights, run.recipe.out / f"process-{run.peers.rank}.safetensors")
    return loss

one_epoch, loop._Run.train_epoch = loop._Run.train_epoch, keep_what_each_process_has
usual, still = sys.argv[1:3]
with joined("cpu") as peers:
    loop.joined = lambda device: nullcontext(peers)
    status = main(["train", *sys.argv[3:], "--out", usual])
    hold_still()
    raise SystemExit(status or main(["train", *sys.argv[3:], "--out", still]))
"""
"""Trains twice with the command line; starting processes for each would take longer than the trainings."""


def hold_still() -> None:
    """Takes from networks what each process does for itself: dropout, and the statistics of batch norm."""
    nn.Dropout.forward = lambda self, input: input  # noqa: A006  (PyTorch's own name)
    nn.BatchNorm2d.train = lambda self, mode=True: nn.Module.train(self, False)  # type: ignore[assignment]


@dataclass(frozen=True)
class Trained:
    """usual, still: the weights on either process. said: what was printed."""

    usual: list[dict[str, Tensor]]
    still: list[dict[str, Tensor]]
    folder: Path
    said: str


@pytest.fixture(scope="module")
def two(street_folder: Path, small_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two steps on two processes."""
    folder = tmp_path_factory.mktemp("two")
    program = folder / "program.py"
    program.write_text(PROGRAM)
    view = small_recipe.view
    options = f"--epochs 2 --batch 8 --lr 0.1 --device cpu --data camvid:{street_folder}"
    sizes = ["--view.input-size", *map(str, view.input_size), "--view.crop", *map(str, view.crop)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *(str(program), str(folder / "usual"), str(folder / "still"), "fast-scnn", *options.split(), *sizes),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    ends = {
        name: [load_file(folder / name / f"process-{rank}.safetensors") for rank in (0, 1)]
        for name in ("usual", "still")
    }
    return Trained(ends["usual"], ends["still"], folder, done.stdout + done.stderr)


def test_both_processes_end_with_the_same_weights_and_statistics(two: Trained) -> None:
    for first, second in (two.usual, two.still):
        for name, value in first.items():
            torch.testing.assert_close(second[name], value, rtol=0, atol=0, msg=name)


def test_one_process_writes_and_talks(two: Trained) -> None:
    assert two.said.count("next: edgeseg export") == 2
    assert "Warning" not in two.said
    lines = (two.folder / "usual" / "log.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["epoch", "1", "2"]


def test_two_processes_learn_what_one_does_from_the_same_batches(
    two: Trained, recipe: Recipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Dropout, "forward", nn.Dropout.forward)
    monkeypatch.setattr(nn.BatchNorm2d, "train", nn.BatchNorm2d.train)
    hold_still()
    alone = loop._Run(recipe(batch=8, lr=0.1), Peers(0, 1, torch.device("cpu")))
    begun = {name: value.clone() for name, value in alone.network.state_dict().items()}
    for _ in range(2):
        alone.train_epoch(lambda: None)
    ended = alone.network.state_dict()
    moved = _distance(begun, ended)
    assert moved > 0.05
    # 0.007: each process weighs the pixels of its part, and the mean of the two losses is not quite that of the whole.
    # A process that learns from its own half alone is 0.15 off.
    assert _distance(two.still[0], ended) < 0.03 * moved


def _distance(some: dict[str, Tensor], others: dict[str, Tensor]) -> float:
    return float(
        sum(((others[name] - some[name]) ** 2).sum() for name in some if some[name].is_floating_point()) ** 0.5
    )
