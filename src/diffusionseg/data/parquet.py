"""Encoded photographs in Parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def parquet_rows(path: Path) -> int:
    """Number of rows. Raises ValueError naming the file when it is no Parquet file or pyarrow is missing."""
    return int(_open(path).metadata.num_rows)


def parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """Record batches of these columns. Raises ValueError naming the file and what is wrong with it."""
    import pyarrow

    file = _open(path)
    absent = set(columns) - set(file.schema_arrow.names)
    if absent:
        raise ValueError(f"{path}: has no column {' and '.join(sorted(absent))}")
    try:
        yield from file.iter_batches(batch_size=1024, columns=list(columns))
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: cannot be read as Parquet ({error})") from error


def encoded_image(cell: Any) -> bytes:
    """The bytes of an `image` cell, which is binary or, as `datasets` writes it, a struct with `bytes`."""
    value = cell.as_py()
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else b""


def _open(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ValueError(f"{path}: reading Parquet needs pyarrow; pip install 'diffusionseg[pretrain]'") from error
    try:
        return parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path}: cannot be read as Parquet ({error})") from error
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
