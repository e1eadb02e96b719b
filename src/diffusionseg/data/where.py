"""The one place that tells a folder from an object store."""

from __future__ import annotations

from pathlib import Path

from diffusionseg.data.folder_store import FolderStore
from diffusionseg.data.store import Store

Where = str | Path | Store
"""A folder, an fsspec URL such as `s3://bucket/pairs`, or what was opened already."""


def open_store(where: Where) -> Store:
    """The place that a path or an fsspec URL means; nothing is read or made yet.

    `file://` is a folder like any other. Raises ValueError for an unknown protocol, or one whose package is missing,
    naming the package.
    """
    if isinstance(where, Store):
        return where
    if isinstance(where, Path) or "://" not in where:
        return FolderStore(Path(where))
    # Not before a URL needs it.
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    from diffusionseg.data.object_store import ObjectStore

    try:
        files, root = url_to_fs(where)
    except (ValueError, ImportError) as error:
        raise ValueError(f"{where}: {error}") from error
    return FolderStore(Path(root)) if isinstance(files, LocalFileSystem) else ObjectStore(where, files, root)
