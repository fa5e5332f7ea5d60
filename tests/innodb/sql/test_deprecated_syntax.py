"""What is deprecated in a statement is warned of once for each time that it is written."""

from __future__ import annotations

import pytest

from chatsim.innodb.sql.parsed_statement import parsed


def _warnings(sql: str) -> list[str]:
    """The first words of the warnings of a statement."""
    return [message.removeprefix("'").split("'")[0].split(" is ")[0] for _, message in parsed(sql)[0].warnings]


@pytest.mark.parametrize(
    ("sql", "warnings"),
    [
        ("SELECT @v := 1, @w := 2", ["Setting user variables within expressions"] * 2),
        ("SELECT a && b || ! c", ["&&", "|| as a synonym for OR", "!"]),
        ("SELECT BINARY 'a', BINARY(b)", ["BINARY expr", "BINARY expr"]),
        ("SELECT SQL_CALC_FOUND_ROWS SQL_NO_CACHE a FROM t", ["SQL_CALC_FOUND_ROWS", "SQL_NO_CACHE"]),
        ("SELECT FOUND_ROWS()", ["FOUND_ROWS()"]),
        (
            "INSERT INTO t VALUES (1, 2) ON DUPLICATE KEY UPDATE a = VALUES(a) + VALUES(b)",
            ["VALUES function", "VALUES function"],
        ),
        ("SELECT a FROM t INTO @v FOR UPDATE", ["The INTO clause"]),
        ("SET @v := (@w := 2)", ["Setting user variables within expressions"]),
    ],
)
def test_each_use_is_warned_of(sql: str, warnings: list[str]) -> None:
    assert _warnings(sql) == warnings


@pytest.mark.parametrize(
    "sql",
    [
        "SET @v := 2",
        "SELECT ':= && || ! BINARY', `binary`, a != b",
        "SELECT CAST(a AS BINARY), CONVERT(a, BINARY), CAST(a AS BINARY(4)), CONVERT(a, BINARY(4))",
        "INSERT INTO t VALUES (1, 2) ON DUPLICATE KEY UPDATE a = 3",
        "SELECT a FROM t FOR UPDATE",
        "SELECT a INTO @v FROM t FOR UPDATE",
    ],
)
def test_what_only_looks_like_it_is_not(sql: str) -> None:
    assert _warnings(sql) == []
