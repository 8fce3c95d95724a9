"""Training on several processes, as `torchrun` starts them: who this one is, and what all of them agree on."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from edgeseg.core.errors import UsageError


def is_first() -> bool:
    """Returns whether this is the process that talks: the only one, or the first of those that `torchrun` started."""
    return int(os.environ.get("RANK", "0")) == 0


@dataclass(frozen=True)
class Peers:
    """rank: this process's number, the first of which writes files and talks. count: how many there are."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def shared(self, module: nn.Module) -> nn.Module:
        """Returns a module whose gradients are the mean over all processes; `module` itself where there is one."""
        if self.count == 1:
            return module
        with warnings.catch_warnings():
            # The option has another name in new releases, which older ones do not know.
            warnings.simplefilter("ignore", FutureWarning)
            # Statistics of batch norm stay each process's own within an epoch: `agree` averages them at its end.
            return DistributedDataParallel(module, broadcast_buffers=False)

    def mean(self, value: Tensor) -> Tensor:
        """Returns the mean of a scalar over all processes."""
        if self.count > 1:
            distributed.all_reduce(value)
            value = value / self.count
        return value

    def agree(self, tensors: Iterable[Tensor]) -> None:
        """Sets each float tensor to its mean over all processes."""
        if self.count == 1:
            return
        for tensor in tensors:
            if tensor.is_floating_point():
                distributed.all_reduce(tensor)
                tensor /= self.count


@contextmanager
def joined(device: str) -> Iterator[Peers]:
    """Joins the processes that `torchrun` started (gloo, or nccl on GPUs), or is alone.

    device: "auto", "cpu", "cuda". Raises UsageError for a device that is not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"no device {device!r}: give auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("PyTorch sees no CUDA device here: leave --device out, or install a PyTorch built for CUDA")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if on_gpu else torch.device("cpu")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Peers(0, 1, place)
        return
    if on_gpu:
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Peers(distributed.get_rank(), distributed.get_world_size(), place)
    finally:
        distributed.destroy_process_group()
