"""The Typer application. Importing it must stay cheap: verbs import torch only when they run."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

import typer

from diffusionseg import __version__

VERBS = {
    "demo": "demo",
    "synth": "synth",
    "train": "train",
    "distill": "distill",
    "predict": "predict",
    "eval": "evaluate",
    "compare": "compare",
    "pseudolabel": "pseudolabel",
    "pretrain": "pretrain",
    "export": "export",
    "serve": "serve",
    "status": "status",
    "bench": "bench",
    "doctor": "doctor",
    "datasets": "datasets",
}
"""Each verb's module, which holds its function, or the application of its own verbs, under the same name."""


def application(verbs: Iterable[str] = tuple(VERBS)) -> typer.Typer:
    """`diffusionseg` with some of its verbs: what the options of a verb are takes milliseconds to find out."""
    app = typer.Typer(
        name="diffusionseg",
        help="Find the main object in any photograph without any human label, by the method of DiffusionSeg.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    for verb in verbs:
        module = import_module(f"diffusionseg.cli.{VERBS[verb]}")
        does = getattr(module, VERBS[verb])
        if isinstance(does, typer.Typer):
            app.add_typer(does, name=verb, epilog=module.EXAMPLE)
        else:
            app.command(verb, epilog=module.EXAMPLE)(does)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"diffusionseg {__version__}")
        raise typer.Exit


def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Find the main object in any photograph without any human label, by the method of DiffusionSeg."""
