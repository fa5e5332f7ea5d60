"""The server: what it counts and knows, when it purges, what a crash leaves."""

import asyncio

import pytest

from chatsim.db.errors import ConnectionLostError, DatabaseError
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


# --- what it counts and knows


def test_statements_that_end_well_are_counted_and_so_are_the_records_looked_at():
    async def body(engine, session):
        statements, examined = engine.statements, engine.examined
        await session.run("SELECT * FROM t WHERE id = 10; SELECT * FROM t")
        with pytest.raises(DatabaseError):
            await session.run("SELECT nope FROM t")
        assert engine.statements == statements + 2
        assert engine.examined - examined == 4

    play(body)


def test_the_moment_is_the_clocks_to_the_second():
    async def body(engine, _):
        assert engine.now().isoformat() == "2023-11-14T22:13:20"
        await asyncio.sleep(1.9)
        assert engine.now().isoformat() == "2023-11-14T22:13:21"

    play(body)


def test_what_is_deleted_is_purged_when_nobody_can_see_it_any_more():
    async def body(engine, a, b):
        await a.run("BEGIN; SELECT * FROM t")
        await b.run("DELETE FROM t WHERE id = 10")
        engine.purge()
        assert len(engine.table("t").clustered) == 3
        await a.run("COMMIT")
        while engine.purge():
            pass
        assert len(engine.table("t").clustered) == 2

    play(body, sessions=2)


def test_a_server_that_purges_by_itself_does_so_soon_after_a_commit():
    async def body(engine, session):
        await session.run("DELETE FROM t")
        assert len(engine.table("t").clustered) == 3
        await asyncio.sleep(1)
        assert len(engine.table("t").clustered) == 0

    play(body, purges=True)


# --- crashes


def test_numbers_are_given_again_after_a_crash_unless_a_row_with_them_was_written():
    async def body(engine, session):
        await session.run("CREATE TABLE n (id INT AUTO_INCREMENT PRIMARY KEY, a INT UNIQUE)")
        await session.run("INSERT INTO n (a) VALUES (1), (2)")
        await session.run("BEGIN; INSERT INTO n (a) VALUES (3)")
        with pytest.raises(DatabaseError, match="Duplicate"):
            await session.run("INSERT INTO n (a) VALUES (1), (5)")  # the row of 4 was written; that of 5 was not
        await engine.crash()
        engine.restart()
        session = EngineSession(engine)
        await session.run("INSERT INTO n (a) VALUES (9)")
        return (await session.run("SELECT id FROM n ORDER BY id"))[0].rows

    assert play(body) == [(1,), (2,), (5,)]


def test_what_was_deleted_before_a_crash_is_purged_after_it():
    async def body(engine, session):
        await session.run("DELETE FROM t WHERE id = 20")
        await engine.crash()
        await asyncio.sleep(9)
        left = len(engine.table("t").clustered)
        engine.restart()
        await asyncio.sleep(9)
        return left, len(engine.table("t").clustered)

    assert play(body, purges=True) == (3, 2)


def test_a_session_of_a_server_that_is_down_is_refused():
    async def body(engine, session):
        await engine.crash()
        with pytest.raises(ConnectionLostError, match="Can't connect"):
            EngineSession(engine)
        with pytest.raises(ConnectionLostError, match="gone away"):
            await session.run("SELECT 1")
        return engine.sessions

    assert play(body) == {}
