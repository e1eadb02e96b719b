"""Options that several verbs share."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make a TOML file's values the defaults of a verb's options, so that flags still win."""
    if path is None:
        return None
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from error
    # Of its own class, or of a number too long or nested too deep.
    except (ValueError, RecursionError) as error:
        raise typer.BadParameter(f"{path}: not valid TOML: {error}") from error
    flags = {flag.lstrip("-").replace("-", "_"): p.name for p in context.command.params for flag in p.opts}
    names = {key: key.replace("-", "_") for key in values}
    values = {flags.get(names[key]) or names[key]: value for key, value in values.items()}
    options: dict[str | None, Any] = {p.name: p for p in context.command.params}
    # A file that names another one would not be read.
    known = set(options) - {"config"}
    unknown = sorted(set(values) - known)
    if unknown:
        raise typer.BadParameter(
            f"{path}: unknown option {', '.join(unknown)}; known: {', '.join(sorted(filter(None, known)))}"
        )
    hints = get_type_hints(context.command.callback)
    for key, value in values.items():
        if not all(isinstance(v, str | int | float) for v in (value if isinstance(value, list) else [value])):
            raise typer.BadParameter(f"{path}: {key} must be text, a number, true or false, or a list of such")
        repeatable = getattr(options[key], "multiple", False) or options[key].nargs == -1
        if repeatable and not isinstance(value, list):
            values[key] = [value]
        elif not repeatable and isinstance(value, list):
            # Lists of names and of timesteps are separated by commas on the command line.
            values[key] = ",".join(map(str, value))
        if not _fits(values[key], hints[key]):
            raise typer.BadParameter(f"{path}: {key} cannot be {value!r}; `--help` says what it takes")
    context.default_map = {**(context.default_map or {}), **values}
    return path


_WORDS = ("true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0")
"""What the command line takes for true and false."""


def _fits(value: Any, hint: Any) -> bool:
    """Whether a TOML value is one that an option of this type takes; text may hold a number, as on the command line."""
    if get_origin(hint) is list:
        return all(_fits(each, get_args(hint)[0]) for each in value)
    if get_origin(hint) in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if hint in (int, float) and isinstance(value, str):
        try:
            hint(value)
        except ValueError:
            return False
        return True
    if isinstance(value, bool) or hint in (bool, type(None)):
        return hint is bool and (isinstance(value, bool) or str(value).lower() in _WORDS)
    if hint is int:
        return isinstance(value, int) or float(value).is_integer()
    return hint is not float or isinstance(value, int | float)


def tell_of_weights(value: Any) -> Any:
    """Tell of folders that are called like weights that are shipped, which is what their names mean."""
    from diffusionseg import mini
    from diffusionseg.student.files import FILES

    return _tell_of_shipped(value, {*mini.WEIGHTS, *FILES})


def _tell_of_model(value: Any) -> Any:
    from diffusionseg import mini

    return _tell_of_shipped(value, {mini.NAME})


def _tell_of_shipped(value: Any, shipped: Collection[str]) -> Any:
    from diffusionseg.cli import console

    for name in value if isinstance(value, list) else [value]:
        if name in shipped and Path(name).is_dir():
            console.note(f"{name}: the shipped one; the folder of this name here is ./{name}")
    return value


def local_folder(given: str | Path) -> Path:
    """The folder that a path or a file:// URL means. Raises BadParameter for other URLs, and for a file."""
    text = str(given)
    if "://" not in text:
        if Path(text).exists() and not Path(text).is_dir():
            raise typer.BadParameter(f"{text}: is a file; a folder is needed")
        return Path(text)
    # Not before a URL needs it.
    from diffusionseg.data import open_store

    folder = open_store(text).local if text.startswith("file://") else None
    if folder is None:
        raise typer.BadParameter(f"{text}: must be a folder; only the sets of synth and pseudolabel can lie at a URL")
    return folder


def out_folder(help: str) -> Any:
    """The option --out of a verb whose results need a folder."""
    return typer.Option(parser=local_folder, metavar="DIR", help=help)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file with values of the options below (names without dashes in front); flags win.",
        callback=_read_config,
        is_eager=True,
        metavar="FILE.toml",
    ),
]
SetOut = Annotated[
    str,
    typer.Option(
        help="Folder of the set, or an fsspec URL such as s3://BUCKET/NAME: shards, manifest.json, preview.png."
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        help="Where the work is done: local (this process), processes:N, ray or ray:ADDRESS; never changes the result."
    ),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Workers on Ray; default as many as the cluster has cores, or GPUs.")
]
MaxFailures = Annotated[
    int, typer.Option(min=0, help="Shards that may fail before the run ends; those that did are named in the end.")
]
Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda, cuda:N or mps. A device asked for and missing is an error.")
]
Dtype = Annotated[str, typer.Option(help="auto, float32, float16 or bfloat16. auto is float16 on cuda, else float32.")]
Autocast = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    typer.Option(
        help="Number format of what is trained; auto is fp16 on cuda, else fp32. bf16 is twice as fast on a CPU that "
        "computes it itself."
    ),
]
Log = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.jsonl",
        help="Add what happens to this file, one JSON object a line: start, progress, failure, end and more.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout; all else goes to stderr.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Do everything again instead of resuming.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all randomness.")]
Weights = Annotated[
    str,
    typer.Option(
        help="Decoder: 'mini', 'mini-synthetic', a folder written by train, or a hub id.", callback=tell_of_weights
    ),
]
AnyWeights = Annotated[
    str,
    typer.Option(
        help="'mini', 'mini-synthetic', 'student' (small, without generator), 'student-int8', a folder written by "
        "train or distill, or a hub id.",
        callback=tell_of_weights,
    ),
]
OtherModel = Annotated[
    str | None,
    typer.Option(
        help="Generator, where it is not the one, or not where, the decoder's files name it.", callback=_tell_of_model
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="Generator: 'mini', a folder in the Stable Diffusion layout, or a hub id.", callback=_tell_of_model
    ),
]


def dtype_name(dtype: str) -> str | None:
    """None for `auto`, else the name itself, as `Backbone.from_pretrained` takes it."""
    return None if dtype == "auto" else dtype
