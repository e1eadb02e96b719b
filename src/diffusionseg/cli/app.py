"""The Typer application. Importing it must stay cheap: verbs import torch only when they run."""

from __future__ import annotations

import typer

from diffusionseg import __version__
from diffusionseg.cli import (
    bench,
    compare,
    datasets,
    demo,
    distill,
    doctor,
    evaluate,
    export,
    predict,
    pretrain,
    pseudolabel,
    serve,
    status,
    synth,
    train,
)

app = typer.Typer(
    name="diffusionseg",
    help="Find the main object in any photograph without any human label, by the method of DiffusionSeg.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"diffusionseg {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Find the main object in any photograph without any human label, by the method of DiffusionSeg."""


app.command("demo", epilog=demo.EXAMPLE)(demo.demo)
app.command("synth", epilog=synth.EXAMPLE)(synth.synth)
app.command("train", epilog=train.EXAMPLE)(train.train)
app.command("distill", epilog=distill.EXAMPLE)(distill.distill)
app.command("predict", epilog=predict.EXAMPLE)(predict.predict)
app.command("eval", epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command("compare", epilog=compare.EXAMPLE)(compare.compare)
app.command("pseudolabel", epilog=pseudolabel.EXAMPLE)(pseudolabel.pseudolabel)
app.command("pretrain", epilog=pretrain.EXAMPLE)(pretrain.pretrain)
app.command("export", epilog=export.EXAMPLE)(export.export)
app.command("serve", epilog=serve.EXAMPLE)(serve.serve)
app.command("status", epilog=status.EXAMPLE)(status.status)
app.command("bench", epilog=bench.EXAMPLE)(bench.bench)
app.command("doctor", epilog=doctor.EXAMPLE)(doctor.doctor)
app.add_typer(datasets.datasets, name="datasets", epilog=datasets.EXAMPLE)
