"""The folder of an export: whole or not there, and nothing but an earlier export is replaced."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

MARK = "export.json"
"""By this file an export is known as one."""


def claim(out: Path, source: Path, overwrite: bool) -> None:
    """Raise ValueError where `out` holds something, unless it is an earlier export and may be replaced."""
    place = out.resolve()
    if place in (source.resolve(), *source.resolve().parents):
        raise ValueError(f"--out {out}: holds the source {source}; choose another folder")
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"--out {out}: is no folder; choose another")
    held = sorted(path.name for path in out.iterdir())
    if held and MARK not in held:
        raise ValueError(f"--out {out}: holds {', '.join(held[:5])} and is no export; choose another folder")
    if held and not overwrite:
        raise ValueError(f"--out {out}: holds an export already; choose another folder, or --overwrite")


def temporary_folder(out: Path) -> Path:
    """A new hidden folder beside `out`."""
    place = out.resolve()
    folder = place.with_name(f".{place.name[:40]}.{secrets.token_hex(4)}.tmp")
    folder.mkdir(parents=True)
    return folder


def put_in_place(folder: Path, out: Path) -> None:
    """Give a finished folder the name `out`, in place of an empty one or an earlier export."""
    place = out.resolve()
    if place.exists():
        earlier = folder.with_name(f"{folder.name}.old")
        place.rename(earlier)
        folder.rename(place)
        shutil.rmtree(earlier)
    else:
        folder.rename(place)
