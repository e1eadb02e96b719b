"""Which folder the name of a decoder or student stands for."""

from __future__ import annotations

from pathlib import Path

from diffusionseg import mini
from diffusionseg.data import read_json_object
from diffusionseg.prediction.predict import PredictConfig
from diffusionseg.prediction.settings import from_json


def resolve_folder(
    name_or_path: str | Path,
    *,
    local_files_only: bool = False,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
) -> Path:
    """The folder of an embedded decoder or student, of one that training wrote, or of a hub id (fetched, or cached).

    Raises ValueError that names it and says what is wrong.
    """
    name = str(name_or_path)
    if name in mini.WEIGHTS:
        return mini.weights_path(name)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ValueError(f"{name}: is a file; give the folder that holds config.json")
    if isinstance(name_or_path, Path) or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ValueError(f"{name}: no such folder, and not {', '.join(mini.WEIGHTS)} or a hub id (owner/name)")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                cache_dir=cache_dir,
                token=token,
                local_files_only=local_files_only,
                allow_patterns=["config.json", "decoder.safetensors", "*.onnx"],
            )
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{name}: no such folder, and the hub did not give it ({reason})") from error


def predict_settings(name_or_path: str | Path) -> PredictConfig:
    """How a decoder or student refines, from its folder's config.json; raises ValueError naming what is wrong."""
    path = resolve_folder(name_or_path) / "config.json"
    try:
        return from_json(PredictConfig, read_json_object(path)["predict"])
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: does not say how to predict ({error!r})") from error
