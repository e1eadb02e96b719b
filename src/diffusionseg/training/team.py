"""Processes that train one model together, as `accelerate launch` and `torchrun` start them; usually a single one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

Row = TypeVar("Row")


def team_size() -> int:
    """Processes that were started together, by the variable WORLD_SIZE."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def is_leader() -> bool:
    """Whether this process is the one that writes files and speaks, by the variable RANK."""
    return team_size() == 1 or int(os.environ.get("RANK") or 0) == 0


def own_device(device: str) -> str:
    """`auto` and `cuda` as this process's own CUDA device, where several were started and there are such."""
    if team_size() > 1 and device in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{int(os.environ.get('LOCAL_RANK') or 0) % torch.cuda.device_count()}"
    return device


class Team:
    """This process among those that train together, whose averaged gradients are those of the whole batch."""

    def __init__(self, device: torch.device) -> None:
        """Joins the others where there are any; waits for them."""
        self.size, self.rank = team_size(), 0
        if self.size > 1:
            from accelerate import PartialState

            state = PartialState(cpu=device.type == "cpu")
            self.size, self.rank = state.num_processes, state.process_index

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()

    def share(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows of a batch that this process works on. Raises ValueError where there are too few for all."""
        if len(rows) < self.size:
            raise ValueError(f"--batch-size must be at least the number of processes, {self.size}, got {len(rows)}")
        return rows[self.rank :: self.size] if self.size > 1 else rows

    def trainable(self, module: nn.Module) -> nn.Module:
        """The module as it is to be called in training; all processes then have the leader's weights."""
        if self.size == 1:
            return module
        from torch.nn.parallel import DistributedDataParallel

        return DistributedDataParallel(module)

    def part(self, amount: Tensor) -> Tensor:
        """What an average over this process's `amount` (pixels, pictures) must be multiplied by, so that the mean over
        all processes is the average over the whole batch."""
        if self.size == 1:
            return torch.ones_like(amount)
        total = amount.clone()
        distributed.all_reduce(total)
        return amount * self.size / total.clamp(min=1)

    def mean(self, value: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.size == 1:
            return value
        total = value.detach().clone()
        distributed.all_reduce(total)
        return total / self.size
