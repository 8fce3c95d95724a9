"""Checkpoints as safetensors: tensors and text, never pickle, each file written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from edgeseg.core.errors import EdgesegError

SUFFIX = ".safetensors"
WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
STATE = "state.safetensors"
ROUNDING = "rounding"
"""The part of a state that only a run with --qat has."""
_KEY = "edgeseg"


@dataclass(frozen=True)
class About:
    """What export has to know of a checkpoint beside its weights.

    model: a key of `edgeseg.models.MODELS`. classes, palette (RGB): by id. input_size: (width, height) in pixels.
    terms: under which terms the training data may be used, and that of the weights it began from. training: data, recipe,
    epochs, seed, as JSON values.
    metrics: what was measured, each with data set and split.
    """

    model: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    input_size: tuple[int, int]
    terms: str
    training: dict[str, Any]
    metrics: tuple[dict[str, Any], ...] = ()


def save_weights(path: Path, network: nn.Module, about: About) -> None:
    """Writes a network's weights and what they are."""
    _write(path, network.state_dict(), {_KEY: json.dumps(dataclasses.asdict(about))})


def read_about(path: Path) -> About:
    """Returns what `save_weights` was told. Raises EdgesegError."""
    try:
        said = json.loads(_read(path)[1][_KEY])
        return About(
            model=str(said["model"]),
            classes=tuple(said["classes"]),
            palette=tuple((int(r), int(g), int(b)) for r, g, b in said["palette"]),
            input_size=(int(said["input_size"][0]), int(said["input_size"][1])),
            terms=str(said["terms"]),
            training=dict(said["training"]),
            metrics=tuple(said["metrics"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EdgesegError(f"{path}: no checkpoint of `edgeseg train`: it does not say which network it is") from error


def read_terms(path: Path) -> str:
    """Returns under which terms the data of a checkpoint may be used; one that another program wrote says nothing of them.

    Raises EdgesegError.
    """
    return read_about(path).terms if _KEY in _read(path)[1] else f"data of unknown terms ({path.name})"


def load_weights(path: Path, network: nn.Module) -> None:
    """Fills `network`. Raises EdgesegError where the file belongs to another one."""
    _fill(network, _read(path)[0], path)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Returns a checkpoint's tensors by name. Raises EdgesegError."""
    return _read(path)[0]


def fill_what_fits(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Fills what has the same name and shape: a classifier of other classes begins anew.

    Raises EdgesegError, naming `path`, where less than half of the network's tensors fit: that is another network.
    """
    own = network.state_dict()
    fitting = {name: value for name, value in tensors.items() if name in own and own[name].shape == value.shape}
    if 2 * len(fitting) < len(own):
        raise EdgesegError(f"{path}: holds another network than the one to train; give a checkpoint of the same MODEL")
    network.load_state_dict({**own, **fitting})


def save_state(
    folder: Path, parts: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, epoch: int, best: float
) -> None:
    """Writes all that a run goes on from: the modules by name, the optimiser's tensors, epochs done, the best mIoU."""
    tensors = {f"{part}/{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
    for index, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{slot}": value for slot, value in slots.items()}
    metadata = {"epoch": str(epoch), "best": repr(best), "optimiser": type(optimiser).__name__}
    _write(folder / STATE, tensors, metadata)


def load_state(folder: Path, parts: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer) -> tuple[int, float]:
    """Restores what `save_state` wrote and returns the epochs done and the best mIoU. Raises EdgesegError."""
    path = folder / STATE
    tensors, metadata = _read(path)
    if any(name.startswith(f"{ROUNDING}/") for name in tensors) != (ROUNDING in parts):
        begun = "without" if ROUNDING in parts else "with"
        raise EdgesegError(
            f"{path}: this run was begun {begun} --qat: --resume it as it was begun, or give another --out"
        )
    for part, module in parts.items():
        _fill(module, {name[len(part) + 1 :]: t for name, t in tensors.items() if name.startswith(f"{part}/")}, path)
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, index, slot = name.split("/")
            state.setdefault(int(index), {})[slot] = value
    own = type(optimiser).__name__
    kept = metadata.get("optimiser", own)
    if kept != own:
        raise EdgesegError(f"{path}: holds the state of {kept}, not of {own}: --resume with the --optimiser of before")
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    return int(metadata["epoch"]), float(metadata["best"])


def _fill(module: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        raise EdgesegError(f"{path}: holds another network, or other classes, than asked for") from error


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    draft = path.with_suffix(".part")
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, draft, metadata)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise EdgesegError(
            f"{path}: could not be written ({error}); the one before is whole: make room and --resume"
        ) from error
    draft.replace(path)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise EdgesegError(f"{path}: no checkpoint that can be read ({error})") from error
