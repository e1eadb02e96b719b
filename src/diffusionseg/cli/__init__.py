"""The command line: one thin module per verb."""


def main() -> None:
    """Entry point of `diffusionseg` and `python -m diffusionseg`."""
    from diffusionseg.cli.app import app

    app()
