"""``docs/source.md`` has every number that code, tests and docs cite, and ``docs/coverage.md`` has all of its rows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUMBER = r"(?:SD|[A-Z])[1-9]\d?"
CITING = [
    *(path for room in ("chat", "experiments", "worlds", "cli") for path in (ROOT / "chatsim" / room).rglob("*")),
    *(ROOT / "tests" / "chat").rglob("*"),
    ROOT / "docs" / "catchup.md",
    ROOT / "docs" / "protocol.md",
]


def rows_of(page):
    """The first cells of the rows of all tables, ``S1 to S5`` and ``S6, S7`` as the rows that they mean."""
    lines = (ROOT / "docs" / page).read_text().splitlines()
    return [row for line in lines if re.match(rf"\| {NUMBER}\b", line) for row in expanded(line.split("|")[1].strip())]


def expanded(cell):
    """The rows that a list of rows and ranges of rows means."""
    for part in cell.split(", "):
        first, _, last = part.partition(" to ")
        letters, number = re.fullmatch(r"([A-Z]+)(\d+)", first).groups()
        until = int(last.removeprefix(letters)) if last else int(number)
        yield from (f"{letters}{each}" for each in range(int(number), until + 1))


def sections():
    """The numbers of the page's sections."""
    return set(re.findall(r"^### (\d\.\d+) ", (ROOT / "docs" / "source.md").read_text(), re.MULTILINE))


def cited(text):
    """The rows that a text cites: what looks like one, but for the linter's codes."""
    prose = re.sub(r"# noqa: [A-Z0-9, ]+", "", text)
    return set(re.findall(rf"(?<![\w-]){NUMBER}(?![\w-])", prose))


def cited_sections(text):
    """The sections that are named behind ``docs/source.md``, as in ``docs/source.md, 1.5 and 3.6``."""
    lists = re.findall(r"docs/source\.md, ((?:(?:\d\.\d+|[A-Z]+\d+)(?:,? and |, | to | )?)+)", text)
    return {number for each in lists for number in re.findall(r"\d\.\d+", each)}


TEXTS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in CITING
    if path.suffix in {".py", ".sql", ".md", ".proto"} and "_pb2" not in path.name
}


def test_no_row_is_there_twice():
    rows = rows_of("source.md")
    assert len(rows) > 200
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if cited(text)])
def test_every_row_that_is_cited_is_there(name):
    assert cited(TEXTS[name]) <= set(rows_of("source.md"))


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if "docs/source.md" in text])
def test_every_section_that_is_cited_is_there(name):
    assert cited_sections(TEXTS[name]) <= sections()


def test_citations_are_found():
    """What the tests above rely on."""
    assert cited("# T2, SD1: a pair; see D6 (S1 to S5)  # noqa: S608, C901 - a name") == {"T2", "SD1", "D6", "S1", "S5"}
    assert cited("G2-item, UTF-16, utf8mb4") == set()
    assert cited_sections("as in docs/source.md, 1.5 X1 and 3.6, of 2.0") == {"1.5", "3.6"}
    assert sum(bool(cited(text)) for text in TEXTS.values()) > 20


def test_the_coverage_page_has_every_row_and_no_other():
    assert sorted(rows_of("coverage.md")) == sorted(rows_of("source.md"))
