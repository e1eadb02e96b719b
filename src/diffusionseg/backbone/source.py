"""From a name to a folder on this machine: the packaged generator, a local folder, or a hub id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from diffusionseg.backbone.errors import BackboneLoadError

COMPONENTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
_WEIGHTS = re.compile(r"^(?:diffusion_pytorch_)?model(?:\.(?P<variant>\w+))?(?:-\d{5}-of-\d{5})?\.safetensors$")
_HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")


def resolve_source(
    name_or_path: str | Path,
    *,
    half: bool = False,
    local_files_only: bool = False,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
) -> Path:
    """The local folder of a generator; `mini` is the one shipped in this package.

    An existing folder is taken as it is; anything that reads as a hub id is fetched (or found in the cache)
    with huggingface_hub, whose offline variables hold. `half` prefers the fp16 files of a repository that has
    both. Raises `BackboneLoadError` with the remedy.
    """
    name = str(name_or_path)
    if name == "mini":
        from diffusionseg.mini import model_path

        return Path(model_path())
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise BackboneLoadError(f"{name}: is a file; a generator is a folder in the Stable Diffusion layout")
    if isinstance(name_or_path, Path) or name.startswith((".", "~")) or not _HUB_ID.match(name):
        raise BackboneLoadError(f"{name}: no such folder, and not a hub id of the form owner/name")
    return _from_hub(name, half=half, local_only=local_files_only, revision=revision, cache_dir=cache_dir, token=token)


def weight_variant(files: Iterable[str], half: bool) -> str | None:
    """Which of one component's weight files to read: None the plain ones, else a variant such as `fp16`.

    `files` are bare names. The plain files win unless `half` and there is an fp16 variant. Raises
    `LookupError` when there is no safetensors file at all.
    """
    variants = {match["variant"] for file in files if (match := _WEIGHTS.match(file))}
    if not variants:
        raise LookupError("no safetensors weights")
    if "fp16" in variants and (half or None not in variants):
        return "fp16"
    return None if None in variants else sorted(v for v in variants if v)[0]


def weight_files(files: Iterable[str], variant: str | None) -> list[str]:
    """The bare names among `files` that hold weights of this variant."""
    matches = ((file, _WEIGHTS.match(file)) for file in files)
    return sorted(file for file, match in matches if match and match["variant"] == variant)


def wanted_files(repository: Iterable[str], half: bool) -> list[str]:
    """Of all paths in a repository those that a generator needs: configurations, vocabularies, one set of
    weights."""
    wanted = []
    by_component: dict[str, list[str]] = {name: [] for name in COMPONENTS}
    for path in repository:
        component, _, file = path.partition("/")
        if path == "model_index.json":
            wanted.append(path)
        elif component in by_component and "/" not in file:
            by_component[component].append(file)
    for component, files in by_component.items():
        wanted += [f"{component}/{file}" for file in files if file.endswith((".json", ".txt", ".model"))]
        if any(_WEIGHTS.match(file) for file in files):
            chosen = weight_files(files, weight_variant(files, half))
            wanted += [f"{component}/{file}" for file in chosen]
    return wanted


def _from_hub(
    name: str,
    *,
    half: bool,
    local_only: bool,
    revision: str | None,
    cache_dir: str | Path | None,
    token: str | bool | None,
) -> Path:
    from huggingface_hub import HfApi, constants, snapshot_download

    # The client's exceptions differ between its versions (requests, later httpx), hence the broad clauses.
    refused: Exception | None = None
    patterns: list[str] | None = None
    if not (local_only or constants.HF_HUB_OFFLINE):
        try:
            patterns = wanted_files(HfApi(token=token).list_repo_files(name, revision=revision), half)
        except Exception as error:
            refused = error
    try:
        found = snapshot_download(
            name,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            allow_patterns=patterns,
            local_files_only=patterns is None,
        )
    except Exception as error:
        reason = refused or error
        first_line = (str(reason).splitlines() or ["no reason given"])[0]
        raise BackboneLoadError(
            f"{name}: neither a local folder nor reachable on the Hugging Face hub "
            f"({type(reason).__name__}: {first_line}). "
            "Check the name and the connection, or download the folder elsewhere and give its path; "
            "--model mini needs no network"
        ) from reason
    return Path(found)
