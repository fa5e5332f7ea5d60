"""``docs/glossary.md`` names places that exist, in alphabetical order."""

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "glossary.md").read_text()
SECTIONS = {part.split("\n", 1)[0]: part for part in PAGE.split("\n## ")[1:]}


def rows(section):
    """The cells of a section's table."""
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [cells for cells in lines if cells[0] != "word"]


ROWS = [cells for section in SECTIONS.values() for cells in rows(section)]


def exists(place):
    """Whether a path, or a module or a name in one, is there."""
    if "/" in place:
        return (ROOT / place).exists()
    parts = place.split(".")
    for end in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        try:
            reduce(getattr, parts[end:], module)
        except AttributeError:
            return False
        return True
    return False


@pytest.mark.parametrize(("word", "place"), [(cells[0], cells[2].strip("`")) for cells in ROWS])
def test_every_place_in_the_code_exists(word, place):
    assert exists(place), f"{word}: {place}"


@pytest.mark.parametrize("place", ["chatsim.no_such_module", "chatsim.db.session.NoSuchName", "docs/no-such-page.md"])
def test_a_place_that_does_not_exist_is_noticed(place):
    assert not exists(place)


@pytest.mark.parametrize("name", SECTIONS)
def test_words_are_in_alphabetical_order_and_each_is_there_once(name):
    words = [cells[0] for cells in rows(SECTIONS[name])]
    assert len(words) > 20
    assert words == sorted(words, key=lambda word: re.sub(r"[^a-z]", "", word.lower()))
    assert len(set(words)) == len(words)


def test_every_row_has_a_word_a_meaning_and_a_place():
    assert {len(cells) for cells in ROWS} == {3}
    assert all(meaning.endswith((".", ")")) for _, meaning, _ in ROWS)
