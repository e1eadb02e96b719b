"""A configuration file from anywhere: its values become defaults, or it is refused by name."""

import pytest
import typer
from hypothesis import given
from typer.main import get_command

from diffusionseg.cli.app import application
from diffusionseg.cli.options import _read_config
from hostile import damaged, few, refused_by_name

WHOLE = [
    b'classes = ["cat", "dog"]\ncount = 3\nguidance = 2.5\njson = true\n',
    b"max-border = 1e400\ncount = 99999999999999999999\nsteps = nan\n",
    b"classes = {a = 1}\n[count]\nb = 1979-05-27\n",
]
SYNTH = get_command(application()).commands["synth"]


def read(path):
    return _read_config(typer.Context(SYNTH), path)


def test_files_that_are_damaged(tmp_path):
    path = tmp_path / "c.toml"

    @few
    @given(damaged(WHOLE))
    def look(content):
        path.write_bytes(content)
        refused_by_name(lambda: read(path), typer.BadParameter, path)

    look()


@pytest.mark.parametrize(
    "content",
    [b"a = " + b"[" * 100_000, b"count = " + b"1" * 5000, b"\xff", b"count = {a = 1}", b"out = 1979-05-27", b"[seed]"],
    ids=["depth", "length", "not UTF-8", "table", "date", "section"],
)
def test_values_that_no_option_takes_are_refused(content, tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(typer.BadParameter, match=r"c\.toml: "):
        read(path)
    with pytest.raises(typer.BadParameter, match=r"missing\.toml: No such file"):
        read(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'steps = "abc"', r"c\.toml: steps cannot be 'abc'"),
        (b"count = true", r"c\.toml: count cannot be True"),
        (b"count = 2.5", r"c\.toml: count cannot be 2.5"),
        (b"json = 2", r"c\.toml: json cannot be 2"),
        (b'json = "maybe"', r"c\.toml: json cannot be 'maybe'"),
        (b"count = nan", r"c\.toml: count cannot be nan"),
        (b'guidance = "much"', r"c\.toml: guidance cannot be 'much'"),
        (b"model = false", r"c\.toml: model cannot be False"),
        (b'config = "other.toml"', r"c\.toml: unknown option config"),
    ],
)
def test_values_of_another_type_are_named_with_the_file(content, said, tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(typer.BadParameter, match=said):
        read(path)


def test_values_that_the_command_line_takes_are_taken(tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(
        b'steps = "20"\nguidance = 2\nclasses = ["cat", "dog"]\nworkers = 3.0\njson = "no"\nlog = "a.jsonl"'
    )
    context = typer.Context(SYNTH)
    _read_config(context, path)
    assert context.default_map["classes"] == "cat,dog"
