"""A schedule is read from JSON, from SQL with comments, and from lines of sessions and statements."""

import io

import pytest

from chatsim.conformance.files import STDIN, parse, read
from chatsim.conformance.schedule import BadScheduleError, Schedule

SQL = """
CREATE TABLE t (id INT PRIMARY KEY);
INSERT INTO t VALUES (1);  -- not a session
-- isolation read committed
-- purge held
-- session a
BEGIN;
SELECT * FROM t /* all
of it; really */ FOR UPDATE;
-- session: b
DELETE FROM t WHERE id = 1;
-- session a
COMMIT
"""

LINES = """
setup: CREATE TABLE t (id INT PRIMARY KEY)
a: BEGIN

b: SELECT ': ' FROM t
"""


def test_sql_has_its_setup_first_and_then_the_statements_of_the_session_named_last():
    schedule = parse(SQL, "mine")
    assert (schedule.id, schedule.isolation, schedule.purge) == ("mine", "READ COMMITTED", "held")
    assert schedule.setup == ["CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)"]
    assert schedule.sessions == ["a", "b"]
    assert [(step.n, step.session, step.sql) for step in schedule.steps] == [
        (1, "a", "BEGIN"),
        (2, "a", "SELECT * FROM t /* all\nof it; really */ FOR UPDATE"),
        (3, "b", "DELETE FROM t WHERE id = 1"),
        (4, "a", "COMMIT"),
    ]


def test_lines_are_what_schedule_of_takes_with_the_setup_as_lines():
    assert parse(LINES, "mine") == Schedule.of(
        "a: BEGIN\nb: SELECT ': ' FROM t", setup=["CREATE TABLE t (id INT PRIMARY KEY)"], name="mine"
    )


def test_a_file_is_told_by_its_content_and_has_its_name_for_an_id(tmp_path):
    (tmp_path / "one.txt").write_text(SQL)
    assert read(tmp_path / "one.txt") == parse(SQL, "one")


def test_the_standard_input_is_read_for_a_dash(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    assert read(STDIN) == parse(LINES, "schedule")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has no step: write JSON, lines 'session: SQL', or SQL with '-- session NAME'"),
        ("setup: SELECT 1", "it has no step: "),
        ("SELECT 1", "'SELECT 1' is not of the form 'session: SQL'; in SQL, a comment '-- session NAME' stands before"),
        ("SELECT 1;\n-- session a", "no statement stands after a comment '-- session NAME'"),
        ("-- session a\nBEGIN\n-- session b\nBEGIN", "the statement before '-- session b' has no semicolon at its end"),
        ("-- session a\n-- purge never\nBEGIN", "Invalid enum value 'never' - at `$.purge`"),
        ("{", "Input data was truncated"),
    ],
)
def test_a_text_that_is_no_schedule_is_refused_with_what_is_wrong(text, said, tmp_path):
    with pytest.raises(BadScheduleError) as caught:
        parse(text, "mine")
    assert str(caught.value).startswith(said)
    (tmp_path / "some.sql").write_text(text)
    with pytest.raises(BadScheduleError, match=r"some\.sql: "):
        read(tmp_path / "some.sql")


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path):
    with pytest.raises(BadScheduleError, match=r"none\.sql can't be read: No such file"):
        read(tmp_path / "none.sql")
    (tmp_path / "bytes.sql").write_bytes(b"\xff")
    with pytest.raises(BadScheduleError, match=r"bytes\.sql: 'utf-8' codec can't decode"):
        read(tmp_path / "bytes.sql")
