"""The pages for people: what they link to and name is there, and their commands have the options that they show."""

import re
from pathlib import Path

import click
import pytest

from chatsim.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
INDEX = ROOT / "docs" / "README.md"
TOP = "benchmarks|chatsim|docs|examples|notebooks|tests"


TO_BE_MADE = {"chatsim/cli/counters.py", "tests/experiments/counters/test_experiment.py"}
"""The files that readers of a how-to page make."""


def by_name(page):
    return str(page.relative_to(ROOT))


def missing_links(page, text):
    """The links of a page that lead to no file, but for those to other sites."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", text)
    return [link for link in links if not (page.parent / link).exists()]


def missing_paths(text):
    """The paths between backticks that are not there; a part of a path that stands for many is left out."""
    paths = re.findall(rf"`((?:{TOP})/[\w./-]*)(?:::\w+)?`", text)
    return [path for path in paths if not (ROOT / path).exists() and path not in TO_BE_MADE]


def commands(text):
    """The words behind ``chatsim`` in each command of a page, up to the end of the code that it stands in."""
    code = re.sub(r"\\\n\s*", "", text)
    spans = re.findall(r"`(chatsim [^`]+)`", code) + re.findall(
        r"^(?:\$ |    (?:\$ )?)(chatsim .*)$", code, re.MULTILINE
    )
    return [re.sub(r"\s#.*|'.*?'", "", span).split()[1:] for span in spans]


def unknown_words(words):
    """The options that the command does not have; for a command that does not exist, its name."""
    # with the group's settings: a command keeps the help option that it was first asked for
    command, context = main, click.Context(main, **main.context_settings)
    options = {name for each in main.get_params(context) for name in each.opts}
    unknown = []
    for word in words[: words.index("--")] if "--" in words else words:  # what follows -- is another program's
        if word.startswith("--"):
            unknown += [word] if word.split("=")[0] not in options else []
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None:
                return [*unknown, word]
            command, context = found, click.Context(found, parent=context)
            options = {name for each in command.get_params(context) for name in each.opts}
    return unknown


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_link_leads_to_a_file(page):
    assert missing_links(page, page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_path_that_is_named_is_there(page):
    assert missing_paths(page.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_command_has_its_options(page):
    assert {word for words in commands(page.read_text()) for word in unknown_words(words)} == set()


def test_what_is_not_there_is_found():
    """What the tests above rely on."""
    assert missing_links(INDEX, "[a](no-such.md#part) [b](https://example.org) [c](design.md)") == ["no-such.md"]
    assert missing_paths("`docs/no-such.md` and `tests/docs`") == ["docs/no-such.md"]
    lines = (
        "`chatsim race --no-such`",
        "    $ chatsim no-such  # a note",
        "    chatsim mysql start --nor-this \\",
        "    --so",
    )
    text = "\n".join(lines)
    assert [unknown_words(words) for words in commands(text)] == [["--no-such"], ["no-such"], ["--nor-this", "--so"]]


def test_commands_are_found():
    assert sum(len(commands(page.read_text())) for page in PAGES) > 30


def test_the_index_has_every_page_and_every_notebook():
    listed = {(INDEX.parent / link).resolve() for link in re.findall(r"\]\(([^)#]+)", INDEX.read_text())}
    pages = {page for page in (ROOT / "docs").rglob("*.md") if page != INDEX}
    assert pages | set((ROOT / "notebooks").glob("*.ipynb")) <= listed


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 170
