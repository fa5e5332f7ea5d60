"""Dumped fields as literals, by the types of their columns."""

from pathlib import Path

import pytest

from chatsim.conformance.deadlock_draft.draft import draft
from chatsim.conformance.deadlock_draft.rows import literal
from chatsim.conformance.deadlock_draft.tables import made
from chatsim.db.deadlock import Deadlock

RECORDED = Path(__file__).parents[2] / "db" / "deadlock_report" / "recorded"
TYPED = """
CREATE TABLE typed (
  id INT PRIMARY KEY, day DATE, moment DATETIME, stamp TIMESTAMP NULL, code CHAR(4), bits VARBINARY(5), small SMALLINT,
  tiny TINYINT UNSIGNED, price DECIMAL(5,2), note VARCHAR(90) CHARACTER SET latin1, nothing INT
);
"""


def test_rows_that_a_server_has_dumped():
    """A DECIMAL is not read, and the note of 40 characters was cut: both are NULL by default."""
    _, first, second = draft(Deadlock.read((RECORDED / "types.txt").read_text()), TYPED).schedule.setup
    names = "`id`, `day`, `moment`, `stamp`, `code`, `bits`, `small`, `tiny`"
    one = "1, '2023-11-02', '2023-11-02 10:52:32', '2023-11-02 10:52:32', 'ab', X'00ff', -7, 200, 'née', NULL"
    two = "2, '1999-01-31', '1999-12-31 23:59:59', '2001-01-01 00:00:00', 'abcd', X'', 7, 0, 3"
    assert {first, second} == {
        f"INSERT INTO `typed` ({names}, `note`, `nothing`) VALUES ({one})",
        f"INSERT INTO `typed` ({names}, `nothing`) VALUES ({two})",
    }


@pytest.mark.parametrize(
    ("kind", "dumped", "expected"),
    [
        ("INT", "80000014", "20"),
        ("INT", "7ffffffc", "-4"),
        ("INT UNSIGNED", "ffffffff", "4294967295"),
        ("TINYINT", "81", "1"),
        ("BIGINT UNSIGNED", "13a5f0c2d1e00001", "1415802377413328897"),
        ("VARCHAR(9)", "69742773", "'it''s'"),
        ("VARCHAR(9)", "5c", r"'\\'"),
        ("VARCHAR(9)", "c3a9", "'é'"),
        ("VARCHAR(9) CHARACTER SET latin1", "e9", "'é'"),
        ("VARCHAR(9)", "ff", None),
        ("CHAR(4)", "61622020", "'ab'"),
        ("VARBINARY(9)", "00ff", "X'00ff'"),
        ("DECIMAL(5,2)", "800100", None),
    ],
)
def test_types(kind, dumped, expected):
    column = made([f"CREATE TABLE t (id INT PRIMARY KEY, c {kind})"])["t"].columns[1]
    stored = bytes.fromhex(dumped)
    assert literal(column.type, (len(stored), stored)) == expected


def test_null_and_a_value_that_was_cut():
    column = made(["CREATE TABLE t (id INT PRIMARY KEY, c VARCHAR(40))"])["t"].columns[1]
    assert literal(column.type, None) == "NULL"
    assert literal(column.type, (40, b"a" * 30)) is None
