"""A server that is taken back to an earlier state goes on as one that has just come to it."""

import asyncio
from collections import deque
from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from pathlib import Path
from random import Random
from types import BuiltinFunctionType, FunctionType, MethodType

import pytest

from chatsim.conformance.files import read
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.rewinding import Rewinding
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

SCHEDULES = sorted((Path(__file__).parents[2] / "conformance" / "schedules").glob("*/*.json"))
SAMPLE = sorted({*SCHEDULES[::10], *(each for each in SCHEDULES if each.parent.name == "pages")})
"""Some of each folder, and all about pages."""


def engine_of(setup):
    """A server at rest, and how to take it back there."""

    async def make():
        engine = Engine(lambda: 1_700_000_000.0, purges=False)
        admin = EngineSession(engine)
        for sql in setup:
            await admin.run(sql)
        admin.close()
        while engine.purge():
            pass
        for table in engine.tables.values():
            table.analyze()
        return engine

    engine = run(make())
    return engine, Rewinding(engine)


def went(engine, steps, isolation=None):
    """What statements of sessions were answered, one after the other, with the locks behind each, and all rows."""

    async def go():
        sessions, tasks, seen = {}, {}, []
        names = {}
        for session, sql in steps:
            if session not in sessions:
                sessions[session] = EngineSession(engine)
                names[sessions[session].connection_id] = session
                if isolation:
                    await sessions[session].run(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
            if session in tasks and not tasks[session].done():
                continue  # it waits
            tasks[session] = asyncio.create_task(sessions[session].run(sql))
            for _ in range(20):
                await asyncio.sleep(0)
            seen.append((session, sql, sorted((name, answered(task)) for name, task in tasks.items())))
            locks = [
                (names.get(each.session), each.table, each.index, each.mode, each.data, each.granted)
                for each in engine.data_locks()
            ]
            seen.append(sorted(locks, key=repr))
            engine.purge()
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        for session in sessions.values():
            session.close()
        engine.purge()
        return seen, {name: contents(table) for name, table in engine.tables.items()}

    return run(go())


def answered(task):
    if not task.done():
        return "waits"
    error = task.exception()
    return repr(error) if error else repr([(each.rows, each.affected, each.insert_id) for each in task.result()])


def contents(table):
    return table.next_number, [[record.row for record in index] for index in table.stored]


ROWS = ", ".join(f"({number}, '{'x' * 200}')" for number in range(1, 400, 2))
SEVERAL_PAGES = ["CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(250))", f"INSERT INTO t VALUES {ROWS}"]
PARTITIONS = [
    "CREATE TABLE t (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 3",
    "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
]
COUNTED = ["CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT UNIQUE)", "INSERT INTO t (v) VALUES (1), (2)"]
WITHOUT_KEY = ["CREATE TABLE t (v INT)", "INSERT INTO t VALUES (1), (2)"]


@pytest.mark.parametrize(
    ("setup", "steps"),
    [
        (SEVERAL_PAGES, ["INSERT INTO t VALUES (200, 'y')", "DELETE FROM t WHERE id < 120", "SELECT COUNT(*) FROM t"]),
        (PARTITIONS, ["INSERT INTO t VALUES (7, 7), (8, 8)", "DELETE FROM t WHERE id = 3", "SELECT * FROM t"]),
        (
            COUNTED,
            ["INSERT INTO t (v) VALUES (3)", "INSERT IGNORE INTO t (v) VALUES (1), (9)"],
        ),
        (WITHOUT_KEY, ["INSERT INTO t VALUES (3)", "DELETE FROM t WHERE v = 1", "SELECT * FROM t"]),
    ],
    ids=["several pages", "partitions", "auto_increment", "hidden row ids"],
)
def test_rows_and_counters_are_as_they_were(setup, steps):
    engine, rewinding = engine_of(setup)
    before = {name: contents(table) for name, table in engine.tables.items()}
    pages = [len(index.pages) for table in engine.tables.values() for index in table.stored]
    first = went(engine, [("a", sql) for sql in steps])
    assert {name: contents(table) for name, table in engine.tables.items()} != before
    rewinding.rewind()
    assert {name: contents(table) for name, table in engine.tables.items()} == before
    assert [len(index.pages) for table in engine.tables.values() for index in table.stored] == pages
    assert went(engine, [("a", sql) for sql in steps]) == first


def test_several_pages_are_several():
    engine, _ = engine_of(SEVERAL_PAGES)
    assert len(engine.tables["t"].clustered.pages) > 1


def test_what_the_optimizer_assumes_is_as_it_was():
    engine, rewinding = engine_of(COUNTED)
    table = engine.tables["t"]
    estimate = table.statistics.rows
    went(engine, [("a", "INSERT INTO t (v) VALUES (5), (6), (7)"), ("a", "SELECT * FROM t")])
    assert table.statistics.rows != estimate
    rewinding.rewind()
    assert table.statistics.rows == estimate
    assert not table.statistics.open


def test_sessions_that_are_open_are_forgotten_with_their_locks_and_read_views():
    engine, rewinding = engine_of(COUNTED)

    async def begin():
        for sql in ("BEGIN; UPDATE t SET v = 9 WHERE id = 1", "DO GET_LOCK('x', 1)", "BEGIN; SELECT * FROM t"):
            await EngineSession(engine).run(sql)

    run(begin())
    assert engine.transactions()
    rewinding.rewind()
    assert (engine.transactions(), list(engine.data_locks()), engine.sessions) == ([], [], {})
    assert not engine.history.views
    assert not engine.history.unpurged
    assert not engine.user_locks.users()
    assert not engine.metadata_locks.users()
    seen, _ = went(engine, [("a", "UPDATE t SET v = 5 WHERE id = 1"), ("a", "SELECT GET_LOCK('x', 0)")])
    assert [answer for *_, answers in seen[::2] for _, answer in answers] == [*("[(None, 1, 0)]", "[([(1,)], 0, 0)]")]


@pytest.mark.parametrize(
    "sql",
    ["CREATE TABLE u (id INT)", "DROP TABLE t", "ALTER TABLE t ADD COLUMN w INT", "CREATE VIEW w AS SELECT 1"],
)
def test_changed_definitions_can_not_be_taken_back(sql):
    engine, rewinding = engine_of(COUNTED)
    went(engine, [("a", sql)])
    assert not rewinding.possible
    with pytest.raises(AssertionError, match="tables have been changed"):
        rewinding.rewind()


# --- everything that a server has, after statements of all kinds

EVERYTHING = [
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT, w VARCHAR(9), UNIQUE KEY v (v), KEY w (w))",
    "CREATE TABLE c (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES t (id) ON DELETE CASCADE)",
    "CREATE TABLE n (v INT)",
    "CREATE TABLE p (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 3",
    "INSERT INTO t (v, w) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (5, 'c')",
    "INSERT INTO c VALUES (1, 1), (2, 3)",
    "INSERT INTO n VALUES (1), (2)",
    "INSERT INTO p VALUES (1, 1), (2, 2), (3, 3)",
]
STATEMENTS = [
    "SELECT * FROM t WHERE w = 'c' FOR UPDATE",
    "SELECT * FROM p FOR SHARE",
    "SELECT RAND(), UUID(), LAST_INSERT_ID(7)",
    "SELECT v INTO @v FROM t WHERE id = 1",
    "SELECT GET_LOCK('a', 1)",
    "SELECT * FROM performance_schema.data_locks",
    "SHOW ENGINE INNODB STATUS",
    "EXPLAIN SELECT * FROM t WHERE v > 2",
    "INSERT INTO t (v) VALUES (9)",
    "INSERT INTO t VALUES (50, 51, 'z')",
    "INSERT IGNORE INTO t (v) VALUES (1), (11)",
    "INSERT INTO t (v) VALUES (1) ON DUPLICATE KEY UPDATE v = 20",
    "INSERT INTO n SELECT v FROM t",
    "INSERT INTO p VALUES (7, 7)",
    "REPLACE INTO t (v) VALUES (5)",
    "UPDATE t SET v = v + 100, w = NULL",
    "UPDATE p SET id = id + 10 ORDER BY id DESC",
    "DELETE FROM t WHERE id = 1",
    "DELETE t, c FROM t JOIN c ON c.t = t.id",
    "LOCK TABLES p WRITE",
    "FLUSH TABLES WITH READ LOCK",
    "ANALYZE TABLE t, n, p",
    "USE elsewhere",
    "SET SESSION sql_mode = ''",
    "SET autocommit = 0",
    "SAVEPOINT s",
    "PREPARE q FROM 'SELECT 1'",
    "CREATE TEMPORARY TABLE u (id INT AUTO_INCREMENT PRIMARY KEY)",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    "ROLLBACK; XA START 'x'",
    "COMMIT",
    "ROLLBACK",
]


def whole(engine):
    """All that can be reached from a server, each object once; the statements and tables that it has prepared stay."""
    found, left, kept = [], [engine], {}
    while left:
        value = left.pop()
        number = len(kept)
        if isinstance(value, int | float | str | bytes | Enum | type | None):
            found.append(value)
        elif isinstance(value, FunctionType | BuiltinFunctionType):
            found.append(value.__qualname__)
        elif kept.setdefault(id(value), (number, value))[0] != number:  # it is kept, so that no other has its id
            found.append(("again", kept[id(value)][0]))
        else:
            parts = parts_of(value)
            found.append((type(value).__name__, len(parts)))
            left += parts
    return found


def parts_of(value):
    if isinstance(value, Random):
        return [value.getstate()]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [*value]
    names = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ()) if hasattr(value, name)]
    names += [each for each in getattr(value, "__dict__", ()) if not is_cached(type(value), each)]
    return [part for name in names if name not in ("prepared", "find") for part in (name, getattr(value, name))]


def is_cached(cls, name):
    return isinstance(getattr(cls, name, None), cached_property)


@pytest.mark.parametrize(
    "before",
    [["BEGIN"], ["INSERT INTO t (v) VALUES (77)", "INSERT INTO n VALUES (4)", "INSERT INTO p VALUES (12, 2)"]],
    ids=["in a transaction", "behind changes"],
)
def test_after_statements_of_all_kinds_everything_is_as_it_was(before):
    engine, rewinding = engine_of(EVERYTHING)
    rewinding.rewind()
    first = whole(engine)

    async def execute(sql):
        session = EngineSession(engine)
        for each in (*before, sql):
            await session.run(each)

    for sql in STATEMENTS:
        run(execute(sql))
        rewinding.rewind()
        assert whole(engine) == first, sql
    run(execute("INSERT INTO n VALUES (5)"))
    assert whole(engine) != first


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_schedule_goes_as_on_a_fresh_server(path):
    schedule = read(path)
    steps = [(each.session, each.sql) for each in schedule.steps if not each.sql.startswith("@")]
    fresh = went(engine_of(schedule.setup)[0], steps, schedule.isolation)
    engine, rewinding = engine_of(schedule.setup)
    first = went(engine, steps, schedule.isolation)
    assert first == fresh
    if rewinding.possible:  # not behind a change of definitions
        rewinding.rewind()
        assert went(engine, steps, schedule.isolation) == fresh
