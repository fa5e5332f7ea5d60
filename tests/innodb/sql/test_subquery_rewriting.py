"""What the server makes of subqueries before it plans them."""

import pytest

from chatsim.innodb.sql.parsed_statement import parsed


@pytest.mark.parametrize(
    ("sql", "rewritten"),
    [
        ("SELECT 1 FROM t WHERE a = ANY (SELECT b FROM u)", "SELECT 1 FROM t WHERE a IN (SELECT b FROM u)"),
        ("SELECT 1 FROM t WHERE a = SOME (SELECT b FROM u)", "SELECT 1 FROM t WHERE a IN (SELECT b FROM u)"),
        ("SELECT 1 FROM t WHERE a <> ALL (SELECT b FROM u)", "SELECT 1 FROM t WHERE NOT a IN (SELECT b FROM u)"),
        ("SELECT 1 FROM t WHERE a IN (SELECT b FROM u GROUP BY b)", "SELECT 1 FROM t WHERE a IN (SELECT b FROM u)"),
        ("DELETE FROM t WHERE a = ANY (SELECT b FROM u)", "DELETE FROM t WHERE a IN (SELECT b FROM u)"),
    ],
)
def test_any_and_all_become_in_and_groups_without_aggregates_are_left_out(sql, rewritten):
    assert parsed(sql)[0].node.sql("mysql") == rewritten


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM t WHERE a > ANY (SELECT b FROM u)",
        "SELECT 1 FROM t WHERE a IN (SELECT b FROM u GROUP BY b HAVING COUNT(*) > 1)",
        "SELECT 1 FROM t WHERE a IN (SELECT MAX(b) FROM u GROUP BY c)",
        "SELECT 1 FROM t WHERE a = (SELECT b FROM u GROUP BY b)",
    ],
)
def test_all_else_stays(sql):
    assert parsed(sql)[0].node.sql("mysql") == sql
