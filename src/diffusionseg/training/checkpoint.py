"""Training state in two files: tensors as safetensors, everything else as JSON. Nothing is pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from diffusionseg.data import atomic_write, remove_leftovers
from diffusionseg.training.averaging import WeightAverage

CHECKPOINT = "checkpoint.safetensors"


def save_checkpoint(
    directory: Path,
    step: int,
    module: nn.Module,
    average: WeightAverage | None,
    optimizer: Optimizer,
    state: dict[str, Any],
) -> None:
    """Replace the checkpoint in `directory` atomically; `state` is any JSON-ready data of the run."""
    tensors: dict[str, Tensor] = {f"module.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in _averaged(average).items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    # Clones: safetensors refuses tensors that share memory, as tied weights do.
    payload = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()}
    digest = weights_digest(payload)
    run = {"step": step, "updates": average.updates if average else 0, "state": state, "sha256": digest}
    # One entry, since safetensors writes several in random order, and equal runs are to leave equal files.
    atomic_write(directory / CHECKPOINT, save(payload, metadata={"run": json.dumps(run, sort_keys=True)}))
    remove_leftovers(directory / CHECKPOINT)


def has_checkpoint(directory: Path) -> bool:
    """Whether `directory` holds a run that can go on."""
    return (directory / CHECKPOINT).exists()


def load_checkpoint(
    directory: Path, module: nn.Module, average: WeightAverage | None, optimizer: Optimizer
) -> tuple[int, dict[str, Any]] | None:
    """Restore a run in place and return (finished steps, state), or None where there is no checkpoint.

    Raises ValueError naming the file when it is damaged or belongs to another architecture; nothing is then changed,
    on disk or in memory.
    """
    if not has_checkpoint(directory):
        return None
    path = directory / CHECKPOINT
    (step, updates, state), parts = _read(path)
    wanted = _shapes(module.state_dict())
    if _shapes(parts["module"]) != wanted or _shapes(parts["average"]) != _shapes(_averaged(average)):
        raise ValueError(f"{path}: belongs to another model; use another --out")
    slots = _slots(parts["optimizer"])
    if len(parts) > 3 or not _fit(slots, optimizer):
        raise _damaged(path, "the state of its optimiser is that of another one")
    module.load_state_dict(parts["module"])
    if average is not None:
        for name, value in parts["average"].items():
            average.weights[name].copy_(value)
        average.updates = updates
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    # Files hold rows first; fused optimisers ask for the order of each parameter, or take one for the other.
    for parameter, entries in optimizer.state.items():
        for name, value in entries.items():
            if value.shape == parameter.shape:
                entries[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
    return step, state


def _averaged(average: WeightAverage | None) -> dict[str, Tensor]:
    return {} if average is None else average.weights


def load_averaged(directory: Path, module: nn.Module) -> str:
    """Put the averaged weights of another run, whose folder is `directory`, into `module`; returns their sha256 (hex).

    Raises ValueError naming what is missing, damaged or of another architecture.
    """
    average = read_averaged(directory)[0]
    put_weights(module, average, directory)
    return weights_digest(average)


def read_averaged(directory: Path) -> tuple[dict[str, Tensor], int, dict[str, Any]]:
    """Averaged weights of another run, its finished steps and its state.

    Raises ValueError naming what is missing or damaged.
    """
    if not has_checkpoint(directory):
        raise ValueError(f"{directory}: holds no {CHECKPOINT}; give the folder of a training run")
    (step, _, state), parts = _read(directory / CHECKPOINT)
    return parts["average"], step, state


def put_weights(module: nn.Module, weights: Mapping[str, Tensor], directory: Path) -> None:
    """Load weights that `directory` holds; raises ValueError naming its checkpoint where they are another model's."""
    if _shapes(weights) != _shapes(module.state_dict()):
        raise ValueError(f"{directory / CHECKPOINT}: belongs to another model")
    module.load_state_dict(weights)


def _read(path: Path) -> tuple[tuple[int, int, dict[str, Any]], dict[str, dict[str, Tensor]]]:
    """(finished steps, updates of the average, state) and tensors by part and name."""
    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            meta = file.metadata()
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not meta or "run" not in meta:
        raise ValueError(f"{path}: is no checkpoint of this program; use another --out")
    try:
        run = json.loads(meta["run"])
        step, updates, state = run["step"], run["updates"], run["state"]
        if not (type(step) is type(updates) is int and min(step, updates) >= 0 and isinstance(state, dict)):
            raise ValueError("does not say how far the run is")
        # Those of earlier versions have none.
        if run.get("sha256", "") and run["sha256"] != weights_digest(tensors):
            raise ValueError("does not match its checksum")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from error
    parts: dict[str, dict[str, Tensor]] = {"module": {}, "average": {}, "optimizer": {}}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = value
    return (step, updates, state), parts


def _damaged(path: Path, reason: object) -> ValueError:
    return ValueError(f"{path}: damaged checkpoint ({reason}); put a copy of it back, or delete it to start again")


def weights_digest(tensors: Mapping[str, Tensor]) -> str:
    """sha256 (hex) over names, types, shapes and bytes: safetensors itself does not notice bits that have flipped."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(value.shape), value.dtype) for name, value in weights.items()}


def _slots(state: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in state.items():
        index, _, slot = name.partition(".")
        # A name that is no number fits no parameter.
        slots.setdefault(int(index) if index.isascii() and index.isdigit() and len(index) < 9 else -1, {})[slot] = value
    return slots


def _fit(slots: Mapping[int, Mapping[str, Tensor]], optimizer: Optimizer) -> bool:
    """Whether each entry is a number or of the shape of its parameter."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return all(
        index in range(len(parameters)) and (value.ndim == 0 or value.shape == parameters[index].shape)
        for index, entries in slots.items()
        for value in entries.values()
    )
