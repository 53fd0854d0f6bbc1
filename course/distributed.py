"""Several processes that train one model, each on its share of every batch, started by ``torchrun``."""

from __future__ import annotations

import atexit
from dataclasses import dataclass

import torch
from torch import distributed

from course.devices import Settings


@dataclass(frozen=True)
class World:
    """One process among ``size``; ``rank`` 0 is the one that shows progress and writes files."""

    rank: int = 0
    size: int = 1

    def share(self, batch: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Return this process's part of a batch of indices, and the weight of its mean loss.

        The gradients of the processes are averaged as if their parts were equal; the weight makes up for parts that are not.
        """
        part = batch[self.rank :: self.size]
        return (part, len(part) * self.size / len(batch)) if len(part) else (batch[:1], 0.0)

    def wrap(self, model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
        """Return the model, made to average its gradients over the processes when there are several."""
        if self.size == 1:
            return model
        return torch.nn.parallel.DistributedDataParallel(
            model, [device.index] if device.type == "cuda" else None
        )

    def total(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the sum of the processes' numbers."""
        if self.size > 1:
            distributed.all_reduce(numbers)
        return numbers

    def wait(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            distributed.barrier()


def join(chosen: Settings) -> World:
    """Return this process's place among those that torchrun started, or the world of one process."""
    if not distributed.is_available():
        return World()
    if not distributed.is_initialized():
        if not distributed.is_torchelastic_launched():
            return World()
        distributed.init_process_group("nccl" if chosen.device.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return World(distributed.get_rank(), distributed.get_world_size())
