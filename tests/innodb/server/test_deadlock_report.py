"""A deadlock: which transaction is its victim, and what is reported about it."""

import asyncio

import pytest

from chatsim.db.deadlock import SUPREMUM, Deadlock, LockKind
from chatsim.db.errors import DeadlockError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT, name VARCHAR(9), KEY ka (a))"
FILLED = "INSERT INTO t VALUES (10, 1, 'x'), (20, 2, 'y'), (30, NULL, 'z')"


def play(body, *, sessions=1, **settings):
    """Run ``body`` with an engine that has the table, and some sessions."""

    async def main():
        engine = Engine(lambda: NOW + asyncio.get_running_loop().time(), **{"purges": False} | settings)
        loader = EngineSession(engine)
        await loader.run(f"{TABLE}; {FILLED}")
        loader.close()
        return await body(engine, *(EngineSession(engine) for _ in range(sessions)))

    return run(main())


async def sent(session, sql):
    task = asyncio.ensure_future(session.run(sql))
    await asyncio.sleep(1e-3)
    return task


def update(number, value):
    return f"UPDATE t SET name = '{value}' WHERE id = {number}"


async def in_a_circle(sessions):
    """Each locks a row and then wants the next one's; the errnos that they get."""
    numbers = [10, 20, 30][: len(sessions)]
    for session, number in zip(sessions, numbers, strict=True):
        await session.run("BEGIN")
        await session.run(update(number, "mine"))
    tasks = [
        await sent(session, update(number, "yours"))
        for session, number in zip(sessions, [*numbers[1:], numbers[0]], strict=True)
    ]
    died = [at for at, task in enumerate(tasks) if task.done() and isinstance(task.exception(), DeadlockError)]
    for at, session in enumerate(sessions):
        if at not in died:
            session.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    return died


@pytest.mark.parametrize("size", [2, 3])
def test_of_a_circle_of_waits_one_dies_and_the_report_goes_round_it(size):
    async def body(engine, *sessions):
        (died,) = await in_a_circle(sessions)
        deadlock = engine.deadlock
        by_number = {each.number: each for each in deadlock.participants}
        assert list(by_number) == list(range(1, size + 1))
        assert by_number[deadlock.victim].connection_id == sessions[died].connection_id
        assert {each.connection_id for each in deadlock.participants} == {each.connection_id for each in sessions}
        assert engine.locks.waits.deadlocks == 1
        for waiter, holder, wanted in deadlock.waits_for():
            assert (wanted.place, wanted.mode, wanted.kind) == ("t.PRIMARY", "X", LockKind.RECORD)
            assert wanted.spot in [lock.spot for lock in by_number[holder].holds]
            assert by_number[waiter].statement == update(wanted.record.strip("()").split(",")[0], "yours")
        assert deadlock.explain().count("\n") == size

    play(body, sessions=size)


@pytest.mark.parametrize("size", [2, 3])
def test_the_raw_report_is_read_as_a_servers(size):
    async def body(engine, *sessions):
        await in_a_circle(sessions)
        again = Deadlock.read(engine.deadlock.raw)
        assert again.explain() == engine.deadlock.explain()
        assert again.ring() == engine.deadlock.ring()
        for one, other in zip(again.participants, engine.deadlock.participants, strict=True):
            assert (one.connection_id, one.changes) == (other.connection_id, other.changes)

    play(body, sessions=size)


def test_the_victim_is_the_one_that_weighs_least_and_has_lost_its_transaction():
    async def body(engine, a, b):
        await a.run("BEGIN; UPDATE t SET a = a + 1 WHERE id IN (20, 30)")
        await b.run("BEGIN; UPDATE t SET name = 'b' WHERE id = 10")
        kept = await sent(a, update(10, "a"))
        with pytest.raises(DeadlockError) as caught:
            await b.run(update(20, "b"))
        assert caught.value.errno == 1213
        assert not b.in_transaction
        await kept
        await a.run("COMMIT")
        (answer,) = await b.run("SELECT name FROM t ORDER BY id")
        assert answer.rows == [("a",), ("y",), ("z",)]

    play(body, sessions=2)


def test_a_deadlock_about_a_gap_says_that_it_is_one():
    async def body(engine, a, b):
        for session, number in ((a, 40), (b, 50)):
            await session.run(f"BEGIN; SELECT * FROM t WHERE id = {number} FOR UPDATE")
        waits = await sent(a, "INSERT INTO t VALUES (40, 1, 'a')")
        with pytest.raises(DeadlockError):
            await b.run("INSERT INTO t VALUES (50, 1, 'b')")
        await waits
        assert {(each.waits.kind, each.waits.record) for each in engine.deadlock.participants} == {
            (LockKind.INSERT_INTENTION, SUPREMUM)
        }
        assert Deadlock.read(engine.deadlock.raw).explain() == engine.deadlock.explain()

    play(body, sessions=2)


def test_the_raw_report_has_the_values_of_every_key():
    """Texts with commas and quotes, NULL, and numbers beyond four bytes."""
    keys = ("('a, b', NULL)", "('it''s', 9000000000)")

    async def body(engine, a, b):
        await a.run("CREATE TABLE u (id INT AUTO_INCREMENT PRIMARY KEY, n VARCHAR(9), big BIGINT, KEY kn (n, big))")
        await a.run(f"INSERT INTO u (n, big) VALUES {', '.join(keys)}")
        read = "SELECT * FROM u FORCE INDEX (kn) WHERE n = '{}' FOR UPDATE"
        names = ("a, b", "it''s")
        for session, name in zip((a, b), names, strict=True):
            await session.run(f"BEGIN; {read.format(name)}")
        waits = await sent(a, read.format(names[1]))
        with pytest.raises(DeadlockError):
            await b.run(read.format(names[0]))
        await waits
        assert Deadlock.read(engine.deadlock.raw).explain() == engine.deadlock.explain()
        assert "('a, b', NULL, 1)" in engine.deadlock.explain()

    play(body, sessions=2)
