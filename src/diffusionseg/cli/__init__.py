"""The command line: one thin module per verb."""


def main() -> None:
    """Entry point of `diffusionseg` and `python -m diffusionseg`."""
    import gc
    import io
    import os
    import sys

    # Python's own 700 makes the import of torch and diffusers, a million objects that all stay, a quarter slower.
    gc.set_threshold(10_000)

    from diffusionseg.cli.app import VERBS, application

    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files may hold bytes that are no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    asked = sys.argv[1:2]
    try:
        # All where none is named: for help, completion, or to say what is like a misspelt one.
        application(asked if asked and asked[0] in VERBS else VERBS)()
    except OSError as error:
        # The verbs name their own files; what is left is stdout, as on a full disk. Its content is lost, and Python's
        # own try to write it at the end would hide the exit status.
        sys.stderr.write(f"error: the result cannot be written to stdout ({error.strerror or error})\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
