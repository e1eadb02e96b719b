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
