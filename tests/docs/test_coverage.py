"""``docs/coverage.md`` names nothing that is not there."""

import re
from pathlib import Path

from chatsim.chat.creation import STRATEGIES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coverage.md").read_text()
NAMED = re.findall(r"`((?:tests|chatsim|docs|benchmarks)/[^`: ]+)(?:::(\w+))?`", PAGE)


def rows():
    """The cells of all rows of all tables."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:2] == "| "]
    return [cells for cells in lines if cells[0] != "row"]


def test_every_file_that_it_names_is_there():
    assert len(NAMED) > 100
    assert [name for name, _ in NAMED if not (ROOT / name).is_file()] == []


def test_every_test_that_it_names_is_there():
    tests = [(name, test) for name, test in NAMED if test]
    assert len(tests) > 50
    written = {
        name: set(re.findall(r"^(?:async )?def (\w+)\(", (ROOT / name).read_text(), re.MULTILINE)) for name, _ in tests
    }
    assert [test for name, test in tests if test not in written[name]] == []


def test_every_variant_that_it_names_can_be_run():
    variants = re.findall(r"variant `(\w+)`", PAGE)
    assert variants
    assert set(variants) <= set(STRATEGIES)


def test_a_row_that_says_that_a_defect_is_shown_or_avoided_names_a_test_or_says_why():
    reasons = ("`", "avoided", "not built", "kept")
    for row, _, *rest in rows():
        assert "not yet" in rest or any(reason in cell for cell in rest for reason in reasons), row


def test_no_row_is_there_twice():
    ids = [each for row, *_ in rows() for each in row.split(", ") if each]
    assert len(ids) == len(set(ids))
