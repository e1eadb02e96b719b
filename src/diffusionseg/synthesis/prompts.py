"""Prompts from class names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

TEMPLATES: tuple[str, ...] = (
    "a photo of {article} {name}",
    "a photo of the {name}",
    "a photograph of {article} {name}",
    "a close-up photo of {article} {name}",
    "a picture of {article} {name}",
)
"""Default templates: one object, plainly named, nothing else that would draw attention."""

_VOWEL = re.compile(r"(?!eu|ewe|one\b|u[bfkrst][aeiou]|uni(?!n|m))[aeiou]|hour|honest|heir", re.IGNORECASE)
"""Beginnings that are spoken as vowels: "an umbrella", "an hourglass", but "a unicorn", "a European badger"."""

FIELDS = ("{article}", "{name}")


def check_template(template: str) -> str:
    """Return `template`; raises ValueError when it lacks `{name}` or has another field."""
    rest = template
    for field in FIELDS:
        rest = rest.replace(field, "")
    if "{name}" not in template or "{" in rest or "}" in rest:
        raise ValueError(
            f"--template {template!r}: needs the field {{name}} and may have {{article}}, nothing else in braces"
        )
    return template


def article(name: str) -> str:
    """The indefinite article of a name, by how it begins."""
    return "an" if _VOWEL.match(name) else "a"


def make_prompt(template: str, name: str) -> str:
    """Fill a template: `"a photo of {article} {name}"`, `"orange"` → `"a photo of an orange"`."""
    return template.replace("{article}", article(name)).replace("{name}", name)


def parse_class_names(text: str) -> tuple[str, ...]:
    """Class names from a comma-separated list; empty entries and repetitions are dropped, order is kept.

    Raises ValueError when none is left.
    """
    return class_names(text.split(","))


def class_names(candidates: Iterable[str]) -> tuple[str, ...]:
    """Class names without surrounding white space; empty ones and repetitions are dropped, order is kept.

    Raises ValueError when none is left.
    """
    names = tuple(dict.fromkeys(n.strip() for n in candidates if n.strip()))
    if not names:
        raise ValueError("--classes: no class name given; separate names by commas")
    return names


def assign_class(index: int, names: Sequence[str]) -> str:
    """Class of sample `index`: the names in turn, so that every prefix of a set is balanced."""
    return names[index % len(names)]
