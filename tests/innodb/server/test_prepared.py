"""Prepared statements: parsed once, bound to tables, kept in a cache of bounded size."""

import asyncio

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.prepared import StatementCache
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


@pytest.mark.parametrize(
    ("between", "after"),
    [
        ("ALTER TABLE t ADD COLUMN c INT DEFAULT 5", [(10, 1, "x", 5), (20, 2, "y", 5)]),
        ("TRUNCATE TABLE t", []),
        ("CREATE INDEX i ON t (name)", [(10, 1, "x"), (20, 2, "y")]),
        ("DROP TABLE t; CREATE TABLE t (a INT, id INT PRIMARY KEY); INSERT INTO t VALUES (7, 11)", [(7, 11)]),
    ],
)
def test_a_statement_that_was_prepared_is_prepared_anew_when_its_table_has_changed(between, after):
    async def body(_, a, b):
        sql = "SELECT * FROM t WHERE id < ?"
        assert (await a.run(sql, (25,)))[0].rows == [(10, 1, "x"), (20, 2, "y")]
        await b.run(between)
        assert (await a.run(sql, (25,)))[0].rows == after

    play(body, sessions=2)


def test_a_statement_that_was_prepared_is_refused_when_its_table_has_gone():
    async def body(_, a, b):
        await a.run("SELECT a FROM t")
        await b.run("DROP TABLE t")
        with pytest.raises(DatabaseError, match="Table 't' doesn't exist"):
            await a.run("SELECT a FROM t")
        await b.run("CREATE TABLE t (id INT)")
        with pytest.raises(DatabaseError, match="Unknown column 'a'"):
            await a.run("SELECT a FROM t")

    play(body, sessions=2)


def test_a_prepared_statement_has_new_arguments_each_time():
    async def body(_, session):
        for number, name in ((10, "x"), (20, "y"), (99, None)):
            (answer,) = await session.run("SELECT name FROM t WHERE id = ?", (number,))
            assert answer.rows == ([(name,)] if name else [])

    play(body)


def test_each_statement_of_a_text_is_bound_when_those_before_it_have_been_executed():
    async def body(_, session):
        sql = (
            "DROP TABLE IF EXISTS n; CREATE TABLE n (a INT PRIMARY KEY); INSERT INTO n VALUES (1);"
            " ALTER TABLE n ADD COLUMN b INT; INSERT INTO n VALUES (2, 2);"
            " DROP TABLE n; CREATE TABLE n (c INT, a INT); INSERT INTO n VALUES (3, 4); SELECT * FROM n"
        )
        for _ in range(3):
            assert (await session.run(sql))[-1].rows == [(3, 4)]

    play(body)


def test_a_text_goes_on_with_new_tables_when_another_session_changes_them_between_its_statements():
    async def body(engine, a, b):
        sql = "SELECT * FROM t WHERE id = 10; SELECT * FROM t WHERE id = 10"
        await a.run(sql)
        first, second = engine.prepared.prepare(sql)
        assert (await a.execute(first)).rows == [(10, 1, "x")]
        await b.run("ALTER TABLE t ADD COLUMN c INT DEFAULT 7")
        assert (await a.execute(second)).rows == [(10, 1, "x", 7)]

    play(body, sessions=2)


# --- the cache


def test_a_text_is_parsed_and_bound_once():
    async def body(engine, session):
        sql = "SELECT name FROM t WHERE id = ?"
        await session.run(sql, (10,))
        (statement,) = engine.prepared.prepare(sql)
        bound = statement.bind()
        await session.run(sql, (20,))
        assert engine.prepared.prepare(sql) == (statement,)
        assert statement.bind() is bound

    play(body)


def test_literals_do_not_let_it_grow_without_bound_and_the_texts_used_last_are_kept():
    async def body(engine, session):
        engine.prepared = StatementCache(engine.tables, engine.views, engine.find, size=8)
        often = "SELECT name FROM t WHERE id = ?"
        (kept,) = engine.prepared.prepare(often)
        for number in range(100):
            await session.run(f"SELECT name FROM t WHERE id = {number}")
            assert (await session.run(often, (20,)))[0].rows == [("y",)]
            assert len(engine.prepared) <= 8
        assert engine.prepared.prepare(often) == (kept,)
        (answer,) = await session.run("SELECT name FROM t WHERE id = 10")  # which has been evicted
        assert answer.rows == [("x",)]

    play(body)


def test_the_size_of_a_servers_cache_is_bounded():
    async def body(engine, session):
        for number in range(1_100):
            engine.prepared.prepare(f"SELECT {number}")
        assert len(engine.prepared) == 1_024

    play(body)


def test_a_statement_that_is_evicted_while_its_text_is_executed_still_works():
    async def body(engine, session):
        engine.prepared = StatementCache(engine.tables, engine.views, engine.find, size=1)
        first, second = engine.prepared.prepare("UPDATE t SET a = 5 WHERE id = 10; SELECT a FROM t WHERE id = 10")
        await session.execute(first)
        await session.run("SELECT 1")
        await session.run("CREATE INDEX i ON t (a, id)")
        assert len(engine.prepared) == 0
        assert (await session.execute(second)).rows == [(5,)]

    play(body)


@pytest.mark.parametrize(("sql", "errno"), [("", 1065), (" ; ", 1065), ("SELEC 1", 1064)])
def test_a_text_without_a_statement_or_that_is_no_sql_is_not_kept(sql, errno):
    async def body(engine, session):
        for _ in range(2):
            with pytest.raises(DatabaseError) as caught:
                engine.prepared.prepare(sql)
            assert caught.value.errno == errno
        assert sql not in engine.prepared._texts

    play(body)


def test_a_statement_shows_its_arguments_in_their_places():
    async def body(engine, session):
        await session.run("SELECT ?, id FROM t WHERE name = ? AND a <> ?", ("it's", None, 4))
        assert session.statement == "SELECT 'it''s', id FROM t WHERE name = NULL AND a <> 4"

    play(body)
