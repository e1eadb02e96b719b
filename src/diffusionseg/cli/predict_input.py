"""What `predict` is given: patterns, a photograph on standard input, a folder to watch."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diffusionseg.cli import console

if TYPE_CHECKING:
    from diffusionseg.engine import Engine
    from diffusionseg.prediction import CutoutConfig, FolderSummary, PredictConfig, Segmenter

PIPE = Path("-")
"""Standard input."""


def is_piped(inputs: Sequence[Path] | None, out: Path | None, of_many: Sequence[str]) -> bool:
    """Whether the input is one photograph on standard input. Raises ValueError for what does not go together; `of_many`
    are the flags given that are for many photographs."""
    if inputs is None or PIPE not in inputs:
        if out is None:
            raise ValueError("--out is needed: the folder of the results")
        return False
    given = [*(["the other inputs"] if len(inputs) > 1 else []), *([] if out is None else ["--out"]), *of_many]
    if given:
        raise ValueError(
            f"- is the only input, and its picture goes to standard output: leave {' and '.join(given)} away"
        )
    return True


def expanded(inputs: Iterable[Path]) -> list[Path]:
    """Inputs with patterns that a shell has left as they are replaced by what they match, sorted.

    Raises ValueError for one that matches nothing.
    """
    found: list[Path] = []
    for source in inputs:
        if source.exists() or not glob.has_magic(str(source)):
            found.append(source)
            continue
        matches = sorted(map(Path, glob.glob(str(source), recursive=True)))  # noqa: PTH207 - Path.glob: no absolute ones
        if not matches:
            raise ValueError(f"{source}: matches no file")
        found += matches
    return list(dict.fromkeys(found))


def watched(sources: Sequence[Path], listed: Path | None, engine: Engine, overwrite: bool) -> Path:
    """The folder to watch. Raises ValueError where it is not a single one."""
    if listed is not None or len(sources) != 1 or not sources[0].is_dir():
        raise ValueError("--watch takes one folder")
    if engine.kind != "local" or overwrite:
        raise ValueError("--watch works with --engine local, and without --overwrite")
    return sources[0]


def keep_watching(summaries: Iterable[FolderSummary]) -> FolderSummary:
    """What a watch came to until Ctrl-C or SIGTERM, each photograph that failed told at once."""
    from diffusionseg.prediction import FolderSummary

    last = FolderSummary(0, 0, 0, ())
    try:
        for summary in summaries:
            for name, reason in set(summary.errors) - set(last.errors):
                console.note(f"failed: {name}: {reason}")
            last = summary
    except KeyboardInterrupt:
        console.note("no longer watching")
    return last


def answer(
    segmenter: Segmenter, config: PredictConfig, kinds: Sequence[str], cutouts: CutoutConfig, *, json: bool
) -> None:
    """Read a photograph from standard input and write its picture, or its record, to standard output.

    Raises ValueError for more than one kind, and where standard output is a terminal.
    """
    from diffusionseg.data import read_image
    from diffusionseg.prediction import prediction_picture, prediction_record
    from diffusionseg.prediction.folder import check_kinds

    check_kinds(kinds)
    if len(kinds) > 1 and not json:
        raise ValueError(f"--type {' and '.join(kinds)}: standard output has room for one picture")
    if sys.stdout.isatty() and not json:
        raise ValueError("standard output is a terminal; send the picture to a file: > picture.png")
    photo = read_image(sys.stdin.buffer.read(), name="standard input")
    # On one core, as every photograph of a folder.
    with segmenter.side_by_side(1) as pool:
        (prediction,) = pool.submit(segmenter.predict, [photo], 1, config).result()
    if json:
        console.result(prediction_record(prediction))
    else:
        prediction_picture(kinds[0], photo, prediction, cutouts).save(sys.stdout.buffer, "PNG")
        sys.stdout.buffer.flush()
