"""Lists of images: one path a line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from diffusionseg.data.digests import DigestSet
from diffusionseg.data.folder import InputImage


def listed_images(lines: Iterable[bytes], include: Sequence[str] = ()) -> Iterator[InputImage]:
    """The images that `lines` name, in their order, each once; none is looked at.

    Paths are relative to the working directory, blanks around them belong to them, empty lines are passed over. The
    relative path of an image is that from the working directory, or the whole one where it lies elsewhere. `include`
    keeps only those whose file name matches one of these patterns.
    """
    here = os.path.join(Path.cwd(), "")  # noqa: PTH118 - with a separator at the end
    seen = DigestSet()
    for number, line in enumerate(lines):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
        named = os.fsdecode(line.rstrip(b"\r\n"))
        if not named.strip():
            continue
        # Keeps links as they are, unlike resolve(), and unlike absolute() takes out "..".
        path = os.path.abspath(named)  # noqa: PTH100
        if seen.add(path) and (not include or any(fnmatch(Path(path).name, p) for p in include)):
            yield InputImage(Path(path), Path(path.removeprefix(here)))
