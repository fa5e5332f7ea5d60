"""LATERAL: a derived table that names the tables before it. What it locks, recorded schedules show."""

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

SETUP = (
    "CREATE TABLE t (id INT PRIMARY KEY, a INT)",
    "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)",
    "CREATE TABLE u (id INT PRIMARY KEY, t_id INT, c INT)",
    "INSERT INTO u VALUES (1, 1, 7), (2, 1, 8), (3, 2, 9)",
)


def rows(sql):
    """The rows of a query; the number of its error."""

    async def body():
        session = EngineSession(Engine(lambda: 1_700_000_000.0, purges=False))
        for each in SETUP:
            await session.run(each)
        try:
            return (await session.run(sql))[0].rows
        except DatabaseError as error:
            return error.errno

    return run(body())


LATEST = "LATERAL (SELECT c FROM u WHERE u.t_id = t.id ORDER BY c DESC LIMIT 1) d"


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (f"SELECT t.id, c FROM t, {LATEST}", [(1, 8), (2, 9)]),
        (f"SELECT t.id, c FROM t LEFT JOIN {LATEST} ON TRUE", [(1, 8), (2, 9), (3, None)]),
        ("SELECT id, s FROM t, LATERAL (SELECT t.a + 1 AS s) d WHERE id < 3", [(1, 11), (2, 21)]),
        (
            "SELECT t.id, s FROM t, LATERAL (SELECT t.a + c AS s FROM u WHERE t_id = t.id) d",
            [(1, 17), (1, 18), (2, 29)],
        ),
        (f"SELECT t.id, c, e FROM t, {LATEST}, LATERAL (SELECT d.c + t.id AS e) f", [(1, 8, 9), (2, 9, 11)]),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u, LATERAL (SELECT u.c + t.id AS z) d WHERE z > 11)", [(3,)]),
        ("SELECT x FROM LATERAL (SELECT 1 AS x) d", [(1,)]),
    ],
)
def test_its_rows_are_those_for_each_row_before_it(sql, found):
    assert rows(sql) == found


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        ("SELECT * FROM t RIGHT JOIN LATERAL (SELECT c FROM u WHERE u.t_id = t.id) d ON TRUE", 1054),
        ("SELECT * FROM LATERAL (SELECT c FROM u WHERE u.t_id = t.id) d, t", 1054),
        ("SELECT * FROM t, (SELECT c FROM u WHERE u.t_id = t.id) d", 1054),
    ],
)
def test_it_may_name_only_what_stands_before_it(sql, errno):
    assert rows(sql) == errno
