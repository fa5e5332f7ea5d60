"""A server that is taken back to an earlier state goes on as one that has just come to it."""

import asyncio
from pathlib import Path

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
