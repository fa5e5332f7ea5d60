"""Rows from dumped records."""

from pathlib import Path

from chatsim.conformance.deadlock_draft.draft import draft
from chatsim.db.deadlock import Deadlock

RECORDED = Path(__file__).parents[2] / "db" / "deadlock_report" / "recorded"
TYPED = """
CREATE TABLE typed (
  id INT PRIMARY KEY, day DATE, moment DATETIME, stamp TIMESTAMP NULL, code CHAR(4), bits VARBINARY(5), small SMALLINT,
  tiny TINYINT UNSIGNED, price DECIMAL(5,2), note VARCHAR(90) CHARACTER SET latin1, nothing INT
);
"""

MORE = """
CREATE TABLE more (
  id INT PRIMARY KEY, price DECIMAL(14,4), size ENUM('small','large'), tags SET('a','b','c'), doc JSON, list JSON,
  long_doc JSON, day DATE, at DATETIME(3), stamp TIMESTAMP(6) NULL, clock TIME(2), back TIME, born YEAR, flags BIT(4),
  ratio FLOAT, exact_one DOUBLE, note VARCHAR(50)
);
"""


def test_rows_that_a_server_has_dumped():
    """The note of 40 characters was cut: it is NULL by default."""
    _, first, second = draft(Deadlock.read((RECORDED / "types.txt").read_text()), TYPED).schedule.setup
    names = "`id`, `day`, `moment`, `stamp`, `code`, `bits`, `small`, `tiny`, `price`"
    one = "1, '2023-11-02', '2023-11-02 10:52:32', '2023-11-02 10:52:32', 'ab', X'00ff', -7, 200, 1.25, 'née', NULL"
    two = "2, '1999-01-31', '1999-12-31 23:59:59', '2001-01-01 00:00:00', 'abcd', X'', 7, 0, -1.25, 3"
    assert {first, second} == {
        f"INSERT INTO `typed` ({names}, `note`, `nothing`) VALUES ({one})",
        f"INSERT INTO `typed` ({names}, `nothing`) VALUES ({two})",
    }


def test_a_value_that_can_not_be_read_is_named():
    made = draft(Deadlock.read((RECORDED / "types.txt").read_text()), TYPED)
    unread = [text for session, text in made.open if "could not be read" in text]
    assert unread == ["typed.note of the row (2) could not be read from the report: the report has 30 of its 40 bytes."]
    assert f"-- To complete: {unread[0]}\n" in made.sql()


def test_decimals_members_documents_and_times_that_a_server_has_dumped():
    made = draft(Deadlock.read((RECORDED / "more_types.txt").read_text()), MORE)
    values = {each.partition(" VALUES ")[2] for each in made.schedule.setup[1:]}
    one = (
        """(1, 1234567890.1234, 'large', 'a,c', '{"a": 1, "bc": "x"}', '[1, "b", null]', '1999-11-02', """
        "'2023-11-02 10:56:32.123', '2023-11-02 10:52:32.123456', '10:11:17.12', '-10:11:17', 2026, b'0101', 1.5, 0.1)"
    )
    two = (
        "(2, -1234567890.1234, 'small', '', '-10', '1.5', 'true', '2026-01-31', '1999-12-31 23:59:59.500', "
        "'2001-01-01 00:00:00.000000', '-00:00:01.50', '838:59:59', 0, b'1000', -0.25, -1e+100, 'short')"
    )
    three = """(3, 0.0000, NULL, NULL, '"it''s"', '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""
    assert values == {one, two, three}
    assert made.is_same
