"""Prompts from class names."""

import pytest

from diffusionseg.synthesis.prompts import assign_class, check_template, make_prompt, parse_class_names


@pytest.mark.parametrize(
    "named",
    [
        "an orange",
        "a school bus",
        "an umbrella",
        "a unicycle",
        "an uninvited guest",
        "an urn",
        "a ukulele",
        "a European badger",
        "an hourglass",
        "a one-armed bandit",
        "an oven",
        "a horse",
        "an African elephant",
        "a user",
        "an usher",
    ],
)
def test_article_follows_the_sound(named):
    article, name = named.split(" ", 1)
    assert make_prompt("a photo of {article} {name}", name) == f"a photo of {article} {name}"


def test_names_are_stripped_and_not_repeated():
    assert parse_class_names(" goldfish, school bus,,goldfish ") == ("goldfish", "school bus")


def test_no_name_is_an_error_that_names_the_flag():
    with pytest.raises(ValueError, match="--classes"):
        parse_class_names(" , ")


@pytest.mark.parametrize("template", ["a photo", "a {name} in {place}", "{name"])
def test_bad_template_is_an_error_that_quotes_it(template):
    with pytest.raises(ValueError, match="--template"):
        check_template(template)


def test_every_prefix_of_a_set_is_balanced():
    names = ("a", "b", "c")
    for count in range(1, 20):
        given = [assign_class(i, names) for i in range(count)]
        counts = [given.count(n) for n in names]
        assert max(counts) - min(counts) <= 1
