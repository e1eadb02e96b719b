"""Hooks of mkdocs: the site has the repository's own pages at their own places, and two that are made from the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer.main
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import diffusionseg
from diffusionseg.cli.app import application

ROOT = Path(__file__).parent.parent
FILES = ("README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")
PAGES = (*FILES, "docs/*.md", "docs/images/*", "recipes/mini/*", "examples/*")
ALSO = "src/diffusionseg/demo/photos/LICENSES.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The repository's files, so that links between them lead where they lead there."""
    kept = Files([file for file in files if not Path(file.abs_src_path or "").is_relative_to(ROOT / "docs")])
    for pattern in (*PAGES, ALSO):
        for path in sorted(ROOT.glob(pattern)):
            if path.suffix != ".py":
                name = path.relative_to(ROOT).as_posix()
                kept.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    kept.append(File.generated(config, "docs/commands.md", content=commands()))
    kept.append(File.generated(config, "docs/python.md", content=python()))
    return kept


def commands() -> str:
    """What `--help` says of every verb."""
    top: Any = typer.main.get_command(application())
    parts = ["# Command line", "", "Common to all: `diffusionseg VERB --help`, `diffusionseg --version`.", ""]
    for name, command in top.commands.items():
        inner = command.commands.items() if hasattr(command, "commands") else [("", command)]
        for sub, verb in inner:
            parts += described(f"{name} {sub}".strip(), verb)
    return "\n".join(parts)


def described(name: str, verb: Any) -> list[str]:
    """One verb: what it does, its arguments and options."""
    context = verb.context_class(verb, info_name=f"diffusionseg {name}")
    parts = [f"## {name}", "", verb.help or "", "", f"    {verb.get_usage(context)[7:]}", ""]
    if verb.epilog:
        parts += [verb.epilog.replace("Example: ", "    ", 1), ""]
    rows = ["| option | |", "|---|---|"]
    for parameter in verb.params:
        record = parameter.get_help_record(context)
        if record is None and parameter.param_type_name == "argument":
            record = (parameter.human_readable_name, getattr(parameter, "help", "") or "")
        if record is not None:
            shown, text = (re.sub(r"\s+", " ", part).replace("|", "\\|") for part in record)
            rows.append(f"| `{shown}` | {text.replace('<', '&lt;').replace('*', chr(92) + '*')} |")
    return [*parts, *rows, ""]


def python() -> str:
    """The public names, by their docstrings."""
    parts = ["# Python", "", "```python", "import diffusionseg as ds", "```", ""]
    for name, room in sorted(diffusionseg._ROOMS.items(), key=lambda item: item[0].lower()):
        parts += [f"::: diffusionseg.{room}.{name}", ""]
    return "\n".join(parts)
