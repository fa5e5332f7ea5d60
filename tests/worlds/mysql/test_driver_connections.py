"""Connections to a real server, and pools of them."""

import asyncio
import secrets
import socket
from urllib.parse import urlsplit

import pytest
from driver_sessions import SLEEP, asked, eventually, nowait, runs

from chatsim.db.errors import (
    ConnectionLostError,
    DatabaseError,
    DuplicateKeyError,
)
from chatsim.db.session import Isolation
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.driver import BadUrlError, MySQLDatabase

# connecting


async def test_a_refused_login_is_a_database_error(mysql_url):
    parts = urlsplit(mysql_url)
    with pytest.raises(DatabaseError, match="1045"):
        await driver.connect(f"mysql://stranger:secret@{parts.hostname}:{parts.port}")


async def test_a_server_that_never_says_a_word_is_a_lost_connection(monkeypatch):
    monkeypatch.setattr(driver, "_CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ConnectionLostError):
        await driver.connect(f"mysql://root@127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(
    "greeting",
    [b"", b"\0", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x05\0\0\0\x0b\x08\x05\x1a\0"],
)
async def test_a_server_that_speaks_something_else_is_a_database_error(greeting):
    async def greet(_, writer):
        writer.write(greeting)
        writer.close()
        await writer.wait_closed()

    stranger = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = stranger.sockets[0].getsockname()[1]
    async with stranger:
        with pytest.raises(DatabaseError):
            await driver.connect(f"mysql://root@127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:3306",
        "postgres://root@localhost",
        "mysql://",
        "mysql://root@localhost:port",
        "mysql://root@localhost:99999",
        "mysql://root@localhost/schema",
        "mysql://root@[localhost",
    ],
)
async def test_a_malformed_url_is_named(url):
    with pytest.raises(BadUrlError) as error:
        await driver.connect(url)
    assert repr(url) in str(error.value)


@pytest.mark.parametrize(
    "url", ["mysql://me:sesame@host/schema", "mysql://me:ses@me@host:port", "mysql://me:ses/ame@host"]
)
async def test_a_malformed_url_is_named_without_its_password(url):
    with pytest.raises(BadUrlError) as error:
        await driver.connect(url)
    assert "ses" not in str(error.value)


async def test_user_and_password_are_unquoted(sessions, mysql_url):
    (admin,) = await sessions(1)
    parts, name = urlsplit(mysql_url), f"u@{secrets.token_hex(4)}"
    await admin.execute("CREATE USER ? IDENTIFIED BY ?", (name, "p:/@ss%"))
    try:
        session = await driver.connect(
            f"mysql://{name.replace('@', '%40')}:p%3A%2F%40ss%25@{parts.hostname}:{parts.port}"
        )
        assert (await session.execute("SELECT USER()")).rows[0][0].startswith(f"{name}@")
        await session.close()
    finally:
        await admin.execute("DROP USER ?", (name,))


# the pool


async def test_a_pool_lends_each_connection_to_one_at_a_time(pool):
    async with pool(2) as database, database.session() as one, database.session() as other:
        assert one.connection_id != other.connection_id
        third = asyncio.create_task(database.session().__aenter__())
        await one.execute("SELECT 1")
        assert not third.done()
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)


async def test_a_lease_at_the_level_that_its_connection_has_costs_no_round_trip(mysql_url, schema):
    work = driver.RequestCounts()
    async with MySQLDatabase(mysql_url, schema, 1, work) as database:
        for level in (Isolation.READ_COMMITTED, Isolation.READ_COMMITTED, None, None):
            async with database.session(level):
                pass
    assert work.round_trips == 2


@pytest.mark.parametrize(
    "sql",
    [
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "set @@session.transaction_isolation = 'SERIALIZABLE'",
        "DO 1; SET transaction_isolation = 'SERIALIZABLE'",
    ],
)
async def test_a_level_that_a_statement_has_set_is_not_the_next_ones(sql, pool):
    async with pool(1) as database:
        async with database.session(Isolation.READ_COMMITTED) as session:
            await session.script(sql)
        async with database.session(Isolation.READ_COMMITTED) as session:
            assert (await session.execute("SELECT @@transaction_isolation")).rows == (("READ-COMMITTED",),)


async def test_a_lease_sets_its_isolation_level_and_the_next_one_its_own(pool):
    async with pool(1) as database:
        seen = []
        for isolation in (Isolation.READ_COMMITTED, None, Isolation.SERIALIZABLE, None):
            async with database.session(isolation) as session:
                seen += (await session.execute("SELECT @@transaction_isolation")).rows[0]
    assert seen == ["READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE", "REPEATABLE-READ"]


async def test_a_session_that_comes_back_with_an_open_transaction_is_not_handed_on(pool, sessions):
    (other,) = await sessions(1)
    async with pool(1) as database:
        async with database.session() as session:
            left = session.connection_id
            await session.begin()
            await session.execute("UPDATE t SET v = 9 WHERE id = 1")
            assert not await nowait(other, 1)
        async with database.session() as session:
            assert session.connection_id != left
            assert not session.in_transaction
            assert (await session.execute("SELECT v FROM t WHERE id = 1")).scalar() == 0
            await eventually(lambda: nowait(other, 1))


async def test_a_body_that_raises_within_a_transaction_leaves_no_lock(pool, sessions):
    (other,) = await sessions(1)
    async with pool(1) as database:

        async def break_off():
            async with database.session() as session:
                await session.begin()
                await session.execute("UPDATE t SET v = 9 WHERE id = 2")
                await session.execute("INSERT INTO t (id) VALUES (1)")

        with pytest.raises(DuplicateKeyError):
            await break_off()
        await eventually(lambda: nowait(other, 2))


async def test_a_session_that_committed_is_lent_again(pool):
    async with pool(1) as database:
        seen = set()
        for _ in range(3):
            async with database.session() as session:
                seen.add(session.connection_id)
                await session.begin()
                await session.execute("UPDATE t SET v = v + 1")
                await session.commit()
    assert len(seen) == 1


async def test_cancelling_a_running_statement_breaks_that_connection_alone(pool, sessions):
    (observer,) = await sessions(1)
    async with pool(2) as database:

        async def sleep():
            async with database.session() as session:
                ids.append(session.connection_id)
                await session.execute(SLEEP)

        ids = []
        async with database.session() as bystander:
            sleeper = asyncio.create_task(sleep())
            await eventually(lambda: asyncio.sleep(0, ids))
            await runs(observer, ids[0])
            sleeper.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeper
            assert (await bystander.execute("SELECT 'still here'")).rows == (("still here",),)
            async with database.session() as fresh:
                assert fresh.connection_id not in {ids[0], bystander.connection_id}
                assert (await fresh.execute("SELECT 1")).scalar() == 1


async def test_a_connection_killed_in_the_pool_costs_one_lease_at_most(pool, sessions):
    (other,) = await sessions(1)
    async with pool(1) as database:
        async with database.session() as session:
            killed = session.connection_id
        await other.execute(f"KILL {killed}")
        try:
            async with database.session() as session:
                pass
        except ConnectionLostError:
            pass
        async with database.session() as session:
            assert session.connection_id != killed
            assert (await session.execute("SELECT 1")).scalar() == 1


async def test_more_connections_than_the_server_allows_is_an_error_that_leaves_none_open(sessions, schema, mysql_url):
    (admin,) = await sessions(1)
    parts, name = urlsplit(mysql_url), f"few_{secrets.token_hex(4)}"
    await admin.script(
        f"CREATE USER {name} IDENTIFIED BY 'sesame' WITH MAX_USER_CONNECTIONS 2; GRANT ALL ON {schema}.* TO {name}"
    )
    try:
        database = MySQLDatabase(f"mysql://{name}:sesame@{parts.hostname}:{parts.port}", schema, 3)
        with pytest.raises(DatabaseError, match=r"1226.*max_user_connections"):
            async with database:
                pass
        mine = "SELECT COUNT(*) = 0 FROM performance_schema.processlist WHERE USER = ?"
        await eventually(lambda: asked(admin.execute(mine, (name,))))
    finally:
        await admin.execute(f"DROP USER {name}")


async def test_leaving_a_pool_closes_its_connections(pool, sessions):
    (admin,) = await sessions(1)
    async with pool(2) as database, database.session() as one, database.session() as other:
        ids = one.connection_id, other.connection_id
    left = "SELECT COUNT(*) = 0 FROM performance_schema.processlist WHERE ID IN (?, ?)"
    await eventually(lambda: asked(admin.execute(left, ids)))
