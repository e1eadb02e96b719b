"""`diffusionseg status`: where a run stands."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from diffusionseg.cli import console, options

if TYPE_CHECKING:
    from diffusionseg.status import Standing

EXAMPLE = "Example: diffusionseg status pairs --json"


def status(
    folder: Annotated[
        str, typer.Argument(help="Folder of a set, of predictions or of a run of training, or the URL of a set.")
    ],
    verify: Annotated[bool, typer.Option("--verify", help="Compare every shard with its checksum; slow.")] = False,
    json: options.Json = False,
) -> None:
    """Tell what a folder's run has done, what failed, what is left and how to go on. Also while it runs."""
    with console.errors_named():
        from diffusionseg.status import folder_status

        found = folder_status(folder, verify=verify)
    _tell(found)
    if json:
        console.result({**asdict(found), "finished": found.finished, "minutes_left": found.minutes_left})
    if found.failed:
        raise typer.Exit(1)


def _tell(found: Standing) -> None:
    total = "" if found.total is None else f" of {found.total}"
    console.note(f"{found.folder}: {found.kind}, {found.done}{total} {found.unit} done, {found.in_hand} in hand")
    if found.samples is not None:
        rejected = ", ".join(f"{n} {reason}" for reason, n in found.rejects.items()) or "none"
        console.note(f"pairs: {found.samples}; rejected images: {rejected}")
    if found.per_minute:
        left = "" if found.minutes_left is None else f", {found.minutes_left:.0f} minutes left at this rate"
        rate = f"{found.per_minute:.{0 if found.per_minute >= 10 else 2}f}"
        console.note(f"rate: {rate} {found.unit} a minute{left}")
    for failure in found.failed:
        console.note(f"failed: {failure}")
    console.note("finished" if found.resume is None else f"to go on: {found.resume}")
