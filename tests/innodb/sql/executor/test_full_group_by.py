"""What a query that groups may name outside of aggregates; each verdict was seen on MySQL 9.7."""

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

SETUP = (
    "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c INT NOT NULL, d INT, UNIQUE (c), UNIQUE (d))",
    "CREATE TABLE u (id INT PRIMARY KEY, t_id INT, e INT)",
    "INSERT INTO t VALUES (1, 10, 1, 1, 1), (2, 20, 2, 2, 2), (3, 10, 3, 3, NULL)",
    "INSERT INTO u VALUES (1, 1, 7), (2, 1, 8), (3, 2, 9)",
)


def errno(sql, *before):
    """The number of a statement's error; 0 if it has none."""

    async def body():
        session = EngineSession(Engine(lambda: 1_700_000_000.0, purges=False))
        for each in (*SETUP, *before):
            await session.run(each)
        try:
            await session.run(sql)
        except DatabaseError as error:
            return error.errno
        return 0

    return run(body())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a, COUNT(*) FROM t GROUP BY id",
        "SELECT a, COUNT(*) FROM t GROUP BY c",
        "SELECT a, COUNT(*) FROM t WHERE d IS NOT NULL GROUP BY d",
        "SELECT a, COUNT(*) FROM t WHERE d > 0 GROUP BY d",
        "SELECT b, COUNT(*) FROM t WHERE b = 3 GROUP BY a",
        "SELECT b + 1, COUNT(*) FROM t WHERE b = a GROUP BY a",
        "SELECT t.a + 1 FROM t GROUP BY a + 1",
        "SELECT a, COUNT(*) FROM t WHERE id = 1",
        "SELECT COUNT(*) FROM t ORDER BY a",
        "SELECT a, b AS z FROM t GROUP BY a, z",
        "SELECT a AS z FROM t GROUP BY z HAVING z > 1",
        "SELECT t.a, u.e FROM t JOIN u ON u.t_id = t.id GROUP BY u.id",
        "SELECT t.a, u.e FROM t LEFT JOIN u ON u.id = t.id GROUP BY t.id",
        "SELECT x.a, x.n FROM (SELECT a, COUNT(*) n FROM t GROUP BY a) x GROUP BY x.a",
        "SELECT a, (SELECT MAX(e) FROM u WHERE u.t_id = t.a) FROM t GROUP BY a",
        "SELECT ANY_VALUE(b), a FROM t GROUP BY a",
        "SELECT IF(a > 1, 'x', 'y') k, COUNT(*) FROM t GROUP BY k",
        "SELECT a, RANK() OVER (ORDER BY COUNT(*)) FROM t GROUP BY a",
        "SELECT a + 1 FROM t GROUP BY a WITH ROLLUP",
        "SELECT DISTINCT a FROM t ORDER BY a + 1",
    ],
)
def test_what_the_groups_determine_may_be_named(sql):
    assert errno(sql) == 0


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("SELECT id, COUNT(*) FROM t GROUP BY a", 1055),
        ("SELECT a, COUNT(*) FROM t GROUP BY d", 1055),
        ("SELECT a FROM t GROUP BY a + 1", 1055),
        ("SELECT (a + 1) * 2 FROM t GROUP BY a + 1", 1055),
        ("SELECT COUNT(*) FROM t GROUP BY a ORDER BY b", 1055),
        ("SELECT t.a, u.e FROM t LEFT JOIN u ON u.t_id = t.id GROUP BY t.id", 1055),
        ("SELECT t.a, u.e FROM t LEFT JOIN u ON u.id = t.id GROUP BY u.id", 1055),
        ("SELECT id, a, COUNT(*) FROM t GROUP BY id WITH ROLLUP", 1055),
        ("SELECT a, (SELECT MAX(e) FROM u WHERE u.t_id = t.id) FROM t GROUP BY a", 1055),
        ("SELECT a, RANK() OVER (ORDER BY b) FROM t GROUP BY a", 1055),
        ("INSERT INTO u SELECT id, a, COUNT(*) FROM t GROUP BY a", 1055),
        ("EXPLAIN FORMAT=TRADITIONAL SELECT a, b FROM t GROUP BY a", 1055),
        ("SELECT a, b FROM t GROUP BY a LIMIT 0", 1055),
        ("SELECT a, COUNT(*) FROM t", 1140),
        ("SELECT a FROM t HAVING COUNT(*) > 1", 1140),
        ("SELECT a FROM t GROUP BY a HAVING b > 1", 1054),
        ("SELECT DISTINCT a FROM t ORDER BY b", 3065),
        ("SELECT DISTINCT id FROM t ORDER BY b", 3065),
    ],
)
def test_what_they_do_not_determine_may_not(sql, refusal):
    assert errno(sql) == refusal


def test_without_the_mode_everything_may_be_named():
    assert errno("SELECT id, COUNT(*) FROM t GROUP BY a", "SET sql_mode = 'STRICT_TRANS_TABLES'") == 0
