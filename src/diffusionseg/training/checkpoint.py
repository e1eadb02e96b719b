"""Training state in two files: tensors as safetensors, everything else as JSON. Nothing is pickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from diffusionseg.data import atomic_write, remove_leftovers
from diffusionseg.training.averaging import WeightAverage

NAME = "checkpoint.safetensors"


def save_checkpoint(
    directory: Path, step: int, module: nn.Module, average: WeightAverage, optimizer: Optimizer, state: dict[str, Any]
) -> None:
    """Replace the checkpoint in `directory` atomically; `state` is any JSON-ready data of the run."""
    tensors: dict[str, Tensor] = {f"module.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.weights.items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    # Clones: safetensors refuses tensors that share memory, as tied weights do.
    payload = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
    # One entry, since safetensors writes several in random order, and equal runs are to leave equal files.
    run = json.dumps({"step": step, "updates": average.updates, "state": state}, sort_keys=True)
    atomic_write(directory / NAME, save(payload, metadata={"run": run}))
    remove_leftovers(directory / NAME)


def has_checkpoint(directory: Path) -> bool:
    """Whether `directory` holds a run that can go on."""
    return (directory / NAME).exists()


def load_checkpoint(
    directory: Path, module: nn.Module, average: WeightAverage, optimizer: Optimizer
) -> tuple[int, dict[str, Any]] | None:
    """Restore a run in place and return (finished steps, state), or None where there is no checkpoint.

    Raises ValueError naming the file when it is damaged or belongs to another architecture.
    """
    path = directory / NAME
    if not has_checkpoint(directory):
        return None
    from safetensors import safe_open

    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            meta = file.metadata()
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: damaged checkpoint ({error}); delete it to start again") from error
    if not meta or "run" not in meta:
        raise ValueError(f"{path}: is no checkpoint of this program; use another --out")
    run = json.loads(meta["run"])
    parts: dict[str, dict[str, Tensor]] = {"module": {}, "average": {}, "optimizer": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts[part][rest] = value
    try:
        module.load_state_dict(parts["module"])
    except RuntimeError as error:
        raise ValueError(f"{path}: belongs to another model ({error}); use another --out") from error
    device = next(module.parameters()).device
    average.weights = {k: v.to(device) for k, v in parts["average"].items()}
    average.updates = int(run["updates"])
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["optimizer"].items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(run["step"]), run["state"]
