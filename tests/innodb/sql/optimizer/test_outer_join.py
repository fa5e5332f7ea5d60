"""Outer joins that are none: which conditions no row without a match can meet."""

import pytest
from sqlglot import parse_one

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.expressions import Scope
from chatsim.innodb.sql.optimizer.outer_join import rejects_null
from chatsim.simulation.loop import run

TABLES = ("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "CREATE TABLE s (id INT PRIMARY KEY, b INT, w VARCHAR(9))")


def rejected(condition):
    async def body():
        engine = Engine(lambda: 0.0)
        session = EngineSession(engine)
        for sql in TABLES:
            await session.run(sql)
        scope = Scope([(name, engine.tables[name]) for name in ("t", "s")])
        return rejects_null(scope, 1, parse_one(condition, dialect="mysql"))

    return run(body())


@pytest.mark.parametrize(
    "condition",
    [
        *("s.b = 1", "1 = s.b", "t.a < s.b", "s.b <> 1", "s.b IN (1, 2)", "s.b BETWEEN 1 AND 2", "s.w LIKE 'a%'"),
        *("s.b IS NOT NULL", "NOT s.b IS NULL", "(s.b + 1) * 2 > t.a", "-s.b = 1"),
        *("t.a = 1 AND s.b = 1", "s.b = 1 OR s.id = 2", "(s.b = 1 OR (s.id = 2 AND t.a = 1))"),
    ],
)
def test_what_is_null_meets_no_comparison(condition):
    assert rejected(condition)


@pytest.mark.parametrize(
    "condition",
    [
        *("t.a = 1", "s.b IS NULL", "s.b <=> 1", "s.b <=> NULL", "COALESCE(s.b, 0) = 0", "IFNULL(s.b, 1) = 1"),
        *("t.a IN (1, 2)", "s.b = 1 OR t.a = 1", "s.b IS NULL OR s.b = 1", "NOT (s.b <=> 1)"),
    ],
)
def test_it_may_meet_others(condition):
    assert not rejected(condition)
