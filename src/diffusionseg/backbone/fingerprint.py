"""A number that says whether two generators are the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

_TEXT_FIELDS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "hidden_act",
    "projection_dim",
    "eos_token_id",
)


def fingerprint(
    configs: Sequence[Mapping[str, Any]], tensors: Iterable[Tensor], vocabularies: Sequence[Mapping[str, int]]
) -> str:
    """sha256 (hex) over configurations, weights and vocabularies.

    Weights are hashed as float16, so that a model loaded as float32 and as float16 is the same model, and as
    a set, because the names of parameters change between versions of the libraries. For the same reason
    entries of a configuration that are empty, false or private do not count: new versions add such defaults.
    """
    parts = [json.dumps(_plain(config), sort_keys=True, default=str) for config in configs]
    parts += [json.dumps(vocabulary, sort_keys=True) for vocabulary in vocabularies]
    parts += sorted(_digest(tensor) for tensor in tensors if tensor.is_floating_point())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def text_config(config: Any) -> dict[str, Any]:
    """The fields of a text encoder's configuration that change what it computes."""
    return {name: getattr(config, name, None) for name in _TEXT_FIELDS}


def file_tensors(paths: Iterable[Path]) -> Iterator[Tensor]:
    """All tensors of some safetensors files, one at a time."""
    for path in paths:
        with safe_open(str(path), framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  (the object is no mapping)
                yield file.get_tensor(name)


def module_tensors(modules: Iterable[nn.Module]) -> Iterator[Tensor]:
    """All saved tensors of some modules."""
    for module in modules:
        yield from module.state_dict().values()


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().to("cpu", torch.float16).contiguous()
    return f"{tuple(values.shape)}:{hashlib.sha256(values.numpy().data).hexdigest()}"


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if value and not str(key).startswith("_")}
