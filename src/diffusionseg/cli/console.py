"""What people see: messages and progress on stderr, machine-readable results on stdout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

stderr = Console(stderr=True, highlight=False)


def fail(message: str, status: int = 2) -> typer.Exit:
    """Print an error; `raise fail(...)` ends the verb with this exit status."""
    stderr.print(f"[bold red]error:[/] {_plain(message)}", soft_wrap=True)
    return typer.Exit(status)


def note(message: str) -> None:
    """Tell something to the human."""
    stderr.print(_plain(message), soft_wrap=True)


def result(values: Any) -> None:
    """Print a result as one JSON document on stdout."""
    typer.echo(json.dumps(values, indent=1))


@contextmanager
def errors_named() -> Iterator[None]:
    """Turn the errors of wrong input and usage into a message and exit status 2."""
    try:
        yield
    except KeyboardInterrupt as error:
        # 128 and the signal's number, as shells tell it; SIGTERM comes as engine.Terminated.
        status = 130 if type(error) is KeyboardInterrupt else 143
        raise fail("interrupted; run the same command again to go on", status) from None
    except (ValueError, OSError) as error:
        raise fail(str(error) or type(error).__name__) from error
    except (MemoryError, RuntimeError) as error:
        message = str(error) or type(error).__name__
        # Torch tells of it by RuntimeErrors; to ask its own test would import torch.
        if not isinstance(error, MemoryError) and not re.search("out of memory|can't allocate memory", message):
            raise
        # Errors of this package say what to do.
        if not message.startswith("out of memory"):
            first = message.strip().splitlines()[0]
            message = f"out of memory ({first}); lower --batch-size or --jobs, or choose another --device"
        raise fail(message) from error


class RateColumn(ProgressColumn):
    """Steps a second, or seconds a step where they are slow."""

    def render(self, task: Task) -> Text:
        """The mean rate of the whole task once it has ended, of the last steps before."""
        rate = task.completed / task.elapsed if task.finished and task.elapsed else task.speed
        if not rate:
            return Text("")
        return Text(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s each")


def progress(*, shown: bool = True) -> Progress:
    """A progress bar with count, rate and time left; plain lines are not drawn where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=stderr,
        # The default of 30 s shows neither rate nor time left where one step takes longer.
        speed_estimate_period=600,
        transient=False,
        disable=not shown,
    )


def _plain(message: str) -> str:
    from rich.markup import escape

    return escape(message)
