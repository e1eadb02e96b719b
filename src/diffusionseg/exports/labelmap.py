"""labelmap.txt of CVAT and Datumaro: which colour of a label picture is which class."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from diffusionseg.data.grey import voc_colours


def labelmap(classes: Iterable[str], void: int | None = None) -> str:
    """The text of the file in VOC's colours: background, the classes from label 1 on, `ignored` at the label `void`.

    Raises ValueError for a class whose name would be read as something else.
    """
    names = ["background", *classes]
    labels = list(range(len(names)))
    if void is not None:
        names, labels = [*names, "ignored"], [*labels, void]
    for name in names:
        if any(c in name for c in ":#\r\n") or name != name.strip() or names.count(name) > 1:
            raise ValueError(f"class {name!r} cannot be written to labelmap.txt; choose --format coco")
    rows = zip(names, voc_colours(np.array(labels)).tolist(), strict=True)
    lines = [f"{name}:{','.join(map(str, colour))}::" for name, colour in rows]
    return "\n".join(["# label:color_rgb:parts:actions", *lines]) + "\n"
