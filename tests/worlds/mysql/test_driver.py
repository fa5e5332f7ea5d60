"""The `Database` port on a real server: literals, scripts, errors, transactions, a pool that hands on no leftovers."""

import asyncio
import secrets
import socket
import time
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatsim.db.errors import (
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    DuplicateKeyError,
    LockNotAvailableError,
    LockWaitTimeoutError,
)
from chatsim.db.session import Isolation, Rows
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.driver import BadUrlError, MySQLDatabase, RequestCounts, literal, mogrify

SLEEP = "SELECT SLEEP(60)"
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**64 - 1),
    st.text(),
    st.text(alphabet="'\"\\`?%_;-#/*\0\n\r\x1a\b\t🦆"),
    st.binary(min_size=1),
)


@pytest.fixture
async def schema(mysql_url):
    """A schema with one table, ``t``, of two rows."""
    name = f"driver_{secrets.token_hex(6)}"
    admin = await driver.connect(mysql_url)
    await admin.script(
        f"CREATE DATABASE {name}; USE {name};"
        "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL DEFAULT 0);"
        "INSERT INTO t (v) VALUES (0), (0)"
    )
    yield name
    await admin.execute(f"DROP DATABASE {name}")
    await admin.close()


@pytest.fixture
async def sessions(mysql_url, schema):
    """A function that opens so many sessions outside any pool."""
    opened = []

    async def connect(count):
        new = [await driver.connect(mysql_url, schema) for _ in range(count)]
        opened.extend(new)
        return new

    yield connect
    for session in opened:
        await session.close()


@pytest.fixture
async def session(sessions):
    return (await sessions(1))[0]


@pytest.fixture
def pool(mysql_url, schema):
    """A function that gives a pool of so many connections, to be entered."""
    return lambda size, work=None: MySQLDatabase(mysql_url, schema, size, work)


async def eventually(ask, seconds=10):
    """Wait, within bounds, until ``ask`` gives something true; returns that."""
    deadline = time.monotonic() + seconds
    while not (answer := await ask()):
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)
    return answer


async def runs(observer, connection_id, statement=SLEEP):
    """Wait until the server runs ``statement`` for that connection."""
    sql = "SELECT INFO = ? FROM performance_schema.processlist WHERE ID = ?"
    await eventually(lambda: asked(observer.execute(sql, (statement, connection_id))))


async def asked(rows):
    return (await rows).scalar()


async def nowait(session, row):
    """Try to lock a row; returns whether that went at once. Leaves no transaction."""
    await session.begin()
    try:
        await session.execute("SELECT * FROM t WHERE id = ? FOR UPDATE NOWAIT", (row,))
    except LockNotAvailableError:
        return False
    finally:
        await session.rollback()
    return True


# literals


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(VALUES, min_size=1, max_size=8))
async def test_what_goes_in_as_an_argument_comes_out_of_the_server(session, values):
    places = ", ".join("?" * len(values))
    (row,) = (await session.execute(f"SELECT {places}", values)).rows
    assert list(row) == values


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.text(alphabet="'?\\ a"), after=st.text(alphabet='"?\\ a'))
async def test_no_string_can_end_its_literal_early(session, before, after):
    rows = await session.execute("SELECT ?, '?', ?", (before, after))
    assert rows.rows == ((before, "?", after),)


async def test_a_float_and_a_bool_have_literals_too(session):
    rows = await session.execute("SELECT CAST(? AS DOUBLE), CAST(? AS DOUBLE), ?, ?", (0.1, 1e300, True, False))
    assert rows.rows == ((0.1, 1e300, 1, 0),)


async def test_empty_bytes_are_an_empty_string(session):
    assert (await session.execute("SELECT LENGTH(?)", (b"",))).scalar() == 0


async def test_a_question_mark_in_a_string_a_name_or_a_comment_is_no_place_for_an_argument(session):
    rows = await session.execute(
        """SELECT 'it''s ?', 'a \\' ?', "say ""?"", \\"?", ? /* ? '*/ AS `?` -- it's ?
           , ? # ? "
           , 5--?""",
        (1, 2, 3),
    )
    assert rows.rows == (("it's ?", "a ' ?", 'say "?", "?', 1, 2, 8),)


@pytest.mark.parametrize("args", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_arguments_names_the_sql(args):
    with pytest.raises(ValueError, match=rf"{len(args)} arguments for 2 placeholders in: SELECT \?, \?"):
        mogrify("\n  SELECT ?, ?\n", args)


async def test_a_wrong_number_of_arguments_does_not_reach_the_server(session):
    with pytest.raises(ValueError, match="2 arguments for 1 placeholders in: DELETE FROM t"):
        await session.execute("DELETE FROM t WHERE id = ?", (1, 2))
    assert (await session.execute("SELECT COUNT(*) FROM t")).scalar() == 2


def test_a_type_that_has_no_literal_is_named():
    with pytest.raises(TypeError, match="no SQL literal for list"):
        literal([1])


# statements and scripts


async def test_a_statement_gives_its_rows_what_it_changed_and_the_id_it_took(session):
    assert await session.execute("SELECT id, v FROM t") == Rows(((1, 0), (2, 0)), 2)
    assert await session.execute("UPDATE t SET v = 1") == Rows((), 2)
    assert await session.execute("INSERT INTO t (v) VALUES (7), (7)") == Rows((), 2, 3)


async def test_a_script_gives_the_rows_of_each_statement(session):
    outcomes = await session.script("SELECT ?; INSERT INTO t (v) VALUES (?); SELECT LAST_INSERT_ID(), v FROM t", (1, 5))
    assert outcomes == [Rows(((1,),), 1), Rows((), 1, 3), Rows(((3, 0), (3, 0), (3, 5)), 3)]


async def test_a_script_ends_at_its_first_error(session):
    with pytest.raises(DuplicateKeyError):
        await session.script(
            "INSERT INTO t (id) VALUES (8); INSERT INTO t (id) VALUES (1); INSERT INTO t (id) VALUES (9)"
        )
    assert (await session.execute("SELECT id FROM t")).rows == ((1,), (2,), (8,))


async def test_work_counts_requests_and_the_statements_that_ended_well(pool):
    work = RequestCounts()
    async with pool(1, work) as database, database.session() as session:
        work.round_trips = work.statements = 0
        await session.execute("SELECT 1")
        assert (work.round_trips, work.statements) == (1, 1)
        await session.script("SELECT 1; SELECT 2; SELECT 3")
        assert (work.round_trips, work.statements) == (2, 4)
        with pytest.raises(DatabaseError):
            await session.script("SELECT 1; SELECT * FROM nowhere; SELECT 3")
        assert (work.round_trips, work.statements) == (3, 5)
        await session.begin(Isolation.SERIALIZABLE)
        await session.commit()
        assert (work.round_trips, work.statements) == (5, 8)


# transactions


async def test_a_session_commits_each_statement_until_it_begins(sessions):
    one, other = await sessions(2)
    await one.execute("UPDATE t SET v = 1 WHERE id = 1")
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 1
    await one.begin()
    await one.execute("UPDATE t SET v = 2 WHERE id = 1")
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 1
    await one.commit()
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 2


async def test_a_session_says_whether_a_transaction_is_open(session):
    assert not session.in_transaction
    await session.begin()
    assert session.in_transaction
    await session.execute("UPDATE t SET v = 1")
    assert session.in_transaction
    await session.commit()
    assert not session.in_transaction
    await session.begin(Isolation.READ_COMMITTED)
    assert session.in_transaction
    await session.rollback()
    assert not session.in_transaction
    await session.script("BEGIN; INSERT INTO t (v) VALUES (1)")
    assert session.in_transaction
    await session.execute("CREATE TABLE ends_it (id INT)")
    assert not session.in_transaction
    await session.rollback()
    assert not session.in_transaction


@pytest.mark.parametrize(
    ("isolation", "seen"),
    [(Isolation.READ_UNCOMMITTED, [5, 5]), (Isolation.READ_COMMITTED, [0, 5]), (Isolation.REPEATABLE_READ, [0, 0])],
)
async def test_begin_can_name_an_isolation_level_for_that_transaction_alone(sessions, isolation, seen):
    reader, writer = await sessions(2)
    read = "SELECT v FROM t WHERE id = 1"
    await reader.begin(isolation)
    assert (await reader.execute(read)).scalar() == 0
    await writer.begin()
    await writer.execute("UPDATE t SET v = 5 WHERE id = 1")
    dirty = (await reader.execute(read)).scalar()
    await writer.commit()
    assert [dirty, (await reader.execute(read)).scalar()] == seen
    await reader.commit()
    assert (await reader.execute("SELECT @@transaction_isolation")).rows == (("REPEATABLE-READ",),)


# errors


async def test_1213_is_a_deadlock_and_takes_the_whole_transaction(sessions):
    both = await sessions(2)
    for row, session in enumerate(both, start=1):
        await session.begin()
        await session.execute("UPDATE t SET v = ? WHERE id = ?", (row, row))
    cross = "UPDATE t SET v = v + 10 WHERE id = ?"
    outcomes = await asyncio.gather(both[0].execute(cross, (2,)), both[1].execute(cross, (1,)), return_exceptions=True)
    (victim,) = [index for index, outcome in enumerate(outcomes) if isinstance(outcome, DeadlockError)]
    assert outcomes[victim].errno == 1213
    assert outcomes[1 - victim] == Rows((), 1)
    assert await both[victim].execute("SELECT COUNT(*) FROM t WHERE v = ?", (victim + 1,)) == Rows(((0,),), 1)
    await both[1 - victim].commit()


async def test_1205_is_a_lock_wait_timeout_and_leaves_the_transaction_open(sessions):
    holder, waiter, third = await sessions(3)
    await holder.begin()
    await holder.execute("UPDATE t SET v = 1 WHERE id = 1")
    await waiter.execute("SET SESSION innodb_lock_wait_timeout = 1")
    await waiter.begin()
    await waiter.execute("UPDATE t SET v = 2 WHERE id = 2")
    with pytest.raises(LockWaitTimeoutError) as error:
        await waiter.execute("UPDATE t SET v = 2 WHERE id = 1")
    assert error.value.errno == 1205
    assert waiter.in_transaction
    assert not await nowait(third, 2), "the lock that it had before is gone"
    await holder.rollback()
    await waiter.commit()
    assert (await third.execute("SELECT v FROM t")).rows == ((0,), (2,))


async def test_1062_is_a_duplicate_key_and_leaves_the_transaction_open(session):
    await session.begin()
    await session.execute("INSERT INTO t (id) VALUES (3)")
    with pytest.raises(DuplicateKeyError, match=r"1062 \(duplicate key\): Duplicate entry '1'"):
        await session.execute("INSERT INTO t (id) VALUES (1)")
    assert session.in_transaction
    await session.commit()
    assert (await session.execute("SELECT COUNT(*) FROM t")).scalar() == 3


async def test_3572_is_a_lock_that_is_not_available(sessions):
    holder, other = await sessions(2)
    await holder.begin()
    await holder.execute("UPDATE t SET v = 1 WHERE id = 1")
    with pytest.raises(LockNotAvailableError) as error:
        await other.execute("SELECT * FROM t WHERE id = 1 FOR UPDATE NOWAIT")
    assert error.value.errno == 3572


async def test_an_error_without_a_class_of_its_own_keeps_its_number(session):
    with pytest.raises(DatabaseError, match="1146") as error:
        await session.execute("SELECT * FROM nowhere")
    assert (type(error.value), error.value.errno) == (DatabaseError, 1146)


async def test_a_connection_killed_while_it_runs_a_statement_is_lost(sessions):
    victim, other = await sessions(2)
    running = asyncio.create_task(victim.execute(SLEEP))
    await runs(other, victim.connection_id)
    await other.execute(f"KILL {victim.connection_id}")
    with pytest.raises(ConnectionLostError):
        await running
    with pytest.raises(ConnectionLostError):
        await victim.execute("SELECT 1")


async def test_a_commit_on_a_killed_connection_is_lost_and_its_changes_are_not_made(sessions):
    victim, other = await sessions(2)
    await victim.begin()
    await victim.execute("UPDATE t SET v = 1 WHERE id = 1")
    await other.execute(f"KILL {victim.connection_id}")
    with pytest.raises(ConnectionLostError):
        await victim.commit()
    await eventually(lambda: nowait(other, 1))
    assert (await other.execute("SELECT v FROM t WHERE id = 1")).scalar() == 0


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
