"""The world on a real server: its schema, its tables, what it says of itself, costs and deadlocks."""

import asyncio
import re
import secrets
import sys
import time
from urllib.parse import urlsplit

import pytest

from chatsim.db.errors import DeadlockError
from chatsim.worlds.mysql.servers import private
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.stale_schemas import drop_stale_schemas
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import Costs, Distance, WorldError

TABLES = {
    "chat_message",
    "chat_thread",
    "friend",
    "friend_apply",
    "group_chat",
    "group_chat_member",
    "private_chat",
    "user",
    "user_id",
}


INSERT = "INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (?, ?, ?)"


BUMP = "UPDATE private_chat SET user2_id = user2_id + 100 WHERE thread_id = ?"


ABANDON = """
import asyncio, sys
from chatsim.worlds.mysql.world import MySQLWorld

async def main():
    async with MySQLWorld() as world:
        print(world.schema, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def eventually(ask, seconds=10):
    """Wait, within bounds, until ``ask`` gives something true; returns that."""
    deadline = time.monotonic() + seconds
    while not (answer := await ask()):
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)
    return answer


async def exists(admin, schema):
    rows = await admin.execute("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?", (schema,))
    return bool(rows.scalar())


async def force_deadlock(world):
    """Two transactions that each hold what the other wants."""
    await world.admin.script(f"{INSERT}; {INSERT}", (1, 1, 2, 2, 3, 4))
    async with world.database(2) as database, database.session() as one, database.session() as other:
        for row, session in enumerate((one, other), start=1):
            await session.begin()
            await session.execute(BUMP, (row,))
        outcomes = await asyncio.gather(one.execute(BUMP, (2,)), other.execute(BUMP, (1,)), return_exceptions=True)
        assert sum(isinstance(outcome, DeadlockError) for outcome in outcomes) == 1
        await one.rollback()
        await other.rollback()


# the schema


async def test_entering_makes_a_schema_and_leaving_drops_it(mysql_url, admin):
    async with MySQLWorld() as world:
        assert re.fullmatch(r"chatsim_[0-9a-f]{12}", world.schema)
        assert await exists(admin, world.schema)
    assert not await exists(admin, world.schema)


async def test_two_worlds_on_one_server_have_schemas_of_their_own(mysql_url, admin):
    async with MySQLWorld() as one:
        async with MySQLWorld() as other:
            assert one.schema != other.schema
        assert await exists(admin, one.schema)


async def test_the_schema_goes_when_the_body_raises(mysql_url, admin):
    world = MySQLWorld()
    with pytest.raises(ZeroDivisionError):
        async with world:
            raise ZeroDivisionError
    assert not await exists(admin, world.schema)


@pytest.mark.parametrize("busy", ["idle", "in the midst of a statement of its own"])
async def test_the_schema_goes_when_the_body_is_cancelled(mysql_url, admin, busy):
    world = MySQLWorld()
    entered = asyncio.Event()

    async def body():
        async with world:
            entered.set()
            await (asyncio.Event().wait() if busy == "idle" else world.admin.execute("SELECT SLEEP(60)"))

    task = asyncio.create_task(body())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await exists(admin, world.schema)


async def test_the_schema_goes_when_the_admin_connection_was_lost(mysql_url, admin):
    async with MySQLWorld() as world:
        await admin.execute(f"KILL {world.admin.connection_id}")
    assert not await exists(admin, world.schema)


async def test_a_schema_in_use_is_not_stale(world, admin, mysql_url):
    assert world.schema not in await drop_stale_schemas(mysql_url)
    assert await exists(admin, world.schema)


async def test_the_schema_of_a_killed_run_is_dropped(admin, mysql_url):
    pipe = asyncio.subprocess.PIPE
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", ABANDON, stdin=pipe, stdout=pipe)
    try:
        schema = (await run.stdout.readline()).decode().strip()
        assert await exists(admin, schema)
        assert schema not in await drop_stale_schemas(mysql_url)
    finally:
        run.kill()
        await run.communicate()
    # the server lets go of the schema as soon as it has noticed
    assert schema in await eventually(lambda: drop_stale_schemas(mysql_url))
    assert not await exists(admin, schema)


@pytest.mark.parametrize(
    "name", ["chatsim_mine", "chatsim", "chatsim_0123456789ab_backup", "my_chatsim_0123456789ab", "chatsim_0123456789a"]
)
async def test_a_schema_with_another_kind_of_name_is_never_stale(admin, mysql_url, name):
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        assert name not in await drop_stale_schemas(mysql_url)
        assert await exists(admin, name)
    finally:
        await admin.execute(f"DROP DATABASE {name}")


# the tables


async def test_install_gives_exactly_the_tables_of_the_source(world, admin):
    rows = await admin.execute(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?", (world.schema,)
    )
    assert {name for (name,) in rows.rows} == TABLES


async def test_private_chat_has_the_keys_that_the_source_gives_it(world, admin):
    rows = await admin.execute(
        "SELECT INDEX_NAME, NON_UNIQUE, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX)"
        " FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = 'private_chat'"
        " GROUP BY INDEX_NAME, NON_UNIQUE",
        (world.schema,),
    )
    assert {name: (bool(shared), columns) for name, shared, columns in rows.rows} == {
        "PRIMARY": (False, "thread_id"),
        "uniq_private_thread": (False, "user1_id,user2_id"),
        "idx_private_user1_thread": (True, "user1_id,thread_id"),
        "idx_private_user2_thread": (True, "user2_id,thread_id"),
    }


async def test_install_makes_the_tables_empty_again(world):
    await world.admin.execute("INSERT INTO chat_thread (type) VALUES ('private')")
    await world.install("source")
    assert (await world.admin.execute("SELECT COUNT(*) FROM chat_thread")).scalar() == 0
    assert (await world.admin.execute("INSERT INTO chat_thread (type) VALUES ('group')")).last_id == 1


async def test_a_schema_that_there_is_not_is_a_file_that_there_is_not(world):
    with pytest.raises(FileNotFoundError):
        await world.install("nowhere")


# what it says of itself


async def test_the_environment_says_what_a_result_must_say(world, mysql_url):
    version = (await world.admin.execute("SELECT @@version")).rows[0][0]
    assert {key: value for key, value in world.environment.items() if key != "settings"} == {
        "engine": "MySQL",
        "server_version": version,
        "rung": "url",
        "profile": "as found",
    }
    assert world.environment["settings"]["transaction_isolation"] == "REPEATABLE-READ"
    assert {"log_bin", "innodb_flush_log_at_trx_commit", "innodb_deadlock_detect"} < set(world.environment["settings"])


@pytest.mark.needs("apt")
@pytest.mark.parametrize(
    ("profile", "settings"),
    [
        ("quick", {"log_bin": 0, "innodb_flush_log_at_trx_commit": 2, "innodb_doublewrite": "OFF"}),
        ("durable", {"log_bin": 1, "innodb_flush_log_at_trx_commit": 1, "sync_binlog": 1, "innodb_doublewrite": "ON"}),
    ],
)
async def test_a_profile_is_what_an_own_server_is_set_up_with(monkeypatch, profile, settings):
    monkeypatch.delenv("CHATSIM_MYSQL_URL", raising=False)
    async with MySQLWorld(Servers(mysql_via="unpacked", profile=profile)) as world:
        assert (world.environment["rung"], world.environment["profile"]) == ("unpacked", profile)
        assert settings.items() <= world.environment["settings"].items()
        port = urlsplit(world._server.url).port
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_an_unknown_profile_is_named():
    with pytest.raises(WorldError, match="unknown profile 'fast'; there are: durable, quick"):
        async with MySQLWorld(Servers(profile="fast")):
            pass


async def test_a_server_that_can_not_be_had_is_a_world_error_and_shows_no_password():
    nobody = f"mysql://root:sesame@127.0.0.1:{private.free_port()}"
    with pytest.raises(WorldError, match=r"MySQL at mysql://root:\*\*\*@127.0.0.1:\d+ can't be used: ") as error:
        async with MySQLWorld(Servers(mysql_url=nobody)):
            pass
    assert "sesame" not in str(error.value)


async def test_a_user_who_may_not_make_a_schema_is_a_world_error_that_says_so(admin, mysql_url):
    name = f"guest_{secrets.token_hex(4)}"
    await admin.execute("CREATE USER ? IDENTIFIED BY 'sesame'", (name,))
    parts = urlsplit(mysql_url)
    guest = Servers(mysql_url=f"mysql://{name}:sesame@{parts.hostname}:{parts.port}")
    try:
        with pytest.raises(WorldError, match=r"^MySQL at mysql://.* can't be used: 1044"):
            async with MySQLWorld(guest):
                pass
    finally:
        await admin.execute("DROP USER ?", (name,))


async def test_more_connections_than_the_server_allows_is_a_world_error_and_the_world_goes_on(admin, mysql_url):
    name = f"few_{secrets.token_hex(4)}"
    await admin.script(
        f"CREATE USER {name} IDENTIFIED BY 'sesame' WITH MAX_USER_CONNECTIONS 3; GRANT ALL ON *.* TO {name}"
    )
    parts = urlsplit(mysql_url)
    few = Servers(mysql_url=f"mysql://{name}:sesame@{parts.hostname}:{parts.port}")
    try:
        async with MySQLWorld(few) as world:
            with pytest.raises(WorldError, match="5 connections can't be had: 1226"):
                async with world.database(5):
                    pass
            assert (await world.admin.execute("SELECT 1")).scalar() == 1
    finally:
        await admin.execute(f"DROP USER {name}")


async def test_a_machine_that_was_removed_is_as_far_from_the_database_as_it_says(world):
    world.place("writer", Distance(rtt=0.05))
    clock = asyncio.get_running_loop().time
    async with world.database(1, "writer") as database, database.session() as session:
        begun = clock()
        assert (await session.execute("SELECT 1")).scalar() == 1
        assert clock() - begun >= 0.05


# costs


async def test_what_the_pools_ask_is_counted(world):
    await world.admin.script(f"{INSERT}; {INSERT}", (1, 1, 2, 2, 3, 4))
    async with world.database(1) as database, database.session() as session:
        before = await world.costs()
        assert (await session.script("SELECT * FROM private_chat; SET @seen = 1"))[0].affected == 2
        assert await world.costs() - before == Costs(round_trips=1, statements=2, rows_examined=2, lock_waits=0)


async def test_looking_costs_nothing(world):
    """Neither asking for the costs nor what the admin session reads shows up in them."""
    before = await world.costs()
    await world.admin.script(f"{INSERT}; SELECT * FROM private_chat", (1, 1, 2))
    assert await world.costs() - before == Costs(0, 0, 0, 0)


async def test_a_wait_for_a_row_lock_is_counted(world, admin):
    await world.admin.execute(INSERT, (1, 1, 2))
    before = await world.costs()
    async with world.database(2) as database, database.session() as holder, database.session() as waiter:
        await holder.begin()
        await holder.execute(BUMP, (1,))
        waiting = asyncio.create_task(waiter.execute(BUMP, (1,)))
        blocked = (
            "SELECT COUNT(*) FROM performance_schema.data_lock_waits w JOIN performance_schema.data_locks l"
            " ON l.ENGINE_LOCK_ID = w.REQUESTING_ENGINE_LOCK_ID WHERE l.OBJECT_SCHEMA = ?"
        )

        async def is_blocked():
            return (await admin.execute(blocked, (world.schema,))).scalar()

        await eventually(is_blocked)
        await holder.commit()
        assert (await waiting).affected == 1
    assert (await world.costs() - before).lock_waits == 1


# deadlocks


async def test_a_deadlock_is_reported_once(world):
    assert await world.deadlock() is None
    await force_deadlock(world)
    deadlock = await world.deadlock()
    assert {one.waits.record for one in deadlock.participants} == {"(1)", "(2)"}
    assert {one.waits.place for one in deadlock.participants} == {"private_chat.PRIMARY"}
    assert await world.deadlock() is None


async def test_a_deadlock_of_another_schema_is_none_of_this_worlds(world):
    async with MySQLWorld() as other:
        await other.install("source")
        await force_deadlock(other)
        assert await world.deadlock() is None
        assert await other.deadlock() is not None


async def test_a_deadlock_from_before_is_none_of_a_new_worlds(world):
    await force_deadlock(world)
    async with MySQLWorld() as later:
        assert await later.deadlock() is None
    assert await world.deadlock() is not None
