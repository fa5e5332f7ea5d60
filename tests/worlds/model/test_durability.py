"""What becomes of a commit when the server, its host or the connection is lost at each of its steps.

Nothing of this can be tried with a host on a real server here; `tests/worlds/mysql/test_durability.py` has what can.
"""

import asyncio
from dataclasses import asdict

import pytest
from modelled_server import change, now, sessions, there, values

from chatsim.db.errors import ConnectionLostError
from chatsim.innodb.server.durability import Durability

MS = 0.001
ALL_STEPS = {"latency": MS, "statement": MS, "flush": 2 * MS, "commit": MS}
"""The request is on its way until 1 ms, executed until 2, and then committed. Each step of that takes another one."""

COMMITTED_AT = 2 * MS


def moments(durability):
    """The middle of each step of a commit, by name, in the order of the steps."""
    steps = []
    if durability.flushes:
        steps.append("the redo log is flushed")
    if durability.syncs:
        steps.append("the binary log is synced")
    steps += ["it is on disk", "others see it", "its answer is on its way", "it is answered"]
    return {step: COMMITTED_AT + (at + 0.5) * MS for at, step in enumerate(steps)}


async def outcome(server, admin, durability, step, *, host):
    """The value that a crash leaves, and what the server says has become of the commit."""
    async with sessions(server, 1) as (session,):
        committing = asyncio.create_task(change(session, 1))
        await asyncio.sleep(moments(durability)[step] - now())
        seen = (await values(admin))[0]
        await server.crash(host=host)
        answered = not isinstance((await asyncio.gather(committing, return_exceptions=True))[0], ConnectionLostError)
        server.restart()
        kept = (await values(admin))[0]
        fates = [name for name, count in asdict(server.engine.log.fates).items() if count]
        assert sum(asdict(server.engine.log.fates).values()) == len(fates) <= 1
        return {(1, 1): "kept", (1, 0): "kept", (0, 1): "lost", (0, 0): "lost"}[kept, answered], seen, answered, fates


KEPT, UNDONE, SEEN = "kept, not told", "lost, not told, not seen", "lost, not told, but seen"
TOLD, FORGOTTEN = "kept, told", "lost, though told"
FATES = {KEPT: ["unanswered"], UNDONE: ["undone"], SEEN: ["seen"], TOLD: [], FORGOTTEN: ["answered"]}

ON_ITS_WAY = ("its answer is on its way", "it is answered")

# log_bin, innodb_flush_log_at_trx_commit, sync_binlog: after a crash of the process, and of the host, at each step
TABLE = {
    (1, 1, 1): ([UNDONE, KEPT, KEPT, KEPT, TOLD, TOLD], [UNDONE, UNDONE, KEPT, KEPT, TOLD, TOLD]),
    (1, 1, 0): ([UNDONE, KEPT, KEPT, TOLD, TOLD], [UNDONE, UNDONE, SEEN, FORGOTTEN, FORGOTTEN]),
    (1, 2, 1): ([KEPT, KEPT, KEPT, TOLD, TOLD], [UNDONE, UNDONE, SEEN, FORGOTTEN, FORGOTTEN]),
    (1, 2, 0): ([KEPT, KEPT, TOLD, TOLD], [UNDONE, SEEN, FORGOTTEN, FORGOTTEN]),
    (1, 0, 1): ([UNDONE, UNDONE, SEEN, FORGOTTEN, FORGOTTEN], [UNDONE, UNDONE, SEEN, FORGOTTEN, FORGOTTEN]),
    (1, 0, 0): ([UNDONE, SEEN, FORGOTTEN, FORGOTTEN], [UNDONE, SEEN, FORGOTTEN, FORGOTTEN]),
    # without a binary log, others see a commit before its log is on disk
    (0, 1, 1): ([KEPT, KEPT, KEPT, TOLD, TOLD], [SEEN, KEPT, KEPT, TOLD, TOLD]),
    (0, 2, 1): ([KEPT, KEPT, TOLD, TOLD], [SEEN, SEEN, FORGOTTEN, FORGOTTEN]),
    (0, 0, 1): ([SEEN, SEEN, FORGOTTEN, FORGOTTEN], [SEEN, SEEN, FORGOTTEN, FORGOTTEN]),
}

CASES = [
    pytest.param(settings, host, step, expected, id=f"{settings}, {'host' if host else 'process'}, {step}")
    for settings, columns in TABLE.items()
    for host, column in enumerate(columns)
    for step, expected in zip(moments(Durability(*settings)), column, strict=True)
]


@pytest.mark.parametrize(("settings", "host", "step", "expected"), CASES)
def test_what_a_crash_at_each_step_leaves_of_a_commit(settings, host, step, expected):
    durability = Durability(*settings)

    async def body(server, admin):
        kept, seen, told, fates = await outcome(server, admin, durability, step, host=bool(host))
        assert (kept, told) == (expected.split(",")[0], step in ON_ITS_WAY)
        assert fates == FATES[expected]
        if expected in (SEEN, FORGOTTEN):
            assert seen == 1

    there(body, durability=durability, **ALL_STEPS)


@pytest.mark.parametrize(("moment", "kept"), [(0.9, 0), (1.1, 20)], ids=["before", "after"])
@pytest.mark.parametrize("host", [False, True], ids=["process", "host"])
def test_once_a_second_everything_is_flushed_whatever_the_settings(moment, kept, host):
    async def body(server, admin):
        async with sessions(server, 1) as (session,):
            for _ in range(20):
                await change(session, 1)
        await asyncio.sleep(moment - now())
        await server.crash(host=host)
        server.restart()
        assert (await values(admin))[0] == kept

    there(body, durability=Durability(1, 0, 0), **ALL_STEPS)


def test_a_later_commit_that_is_flushed_takes_earlier_ones_with_it():
    async def body(server, admin):
        async with sessions(server, 1) as (session,):
            await change(session, 1)
            committing = asyncio.create_task(change(session, 2))
            await asyncio.sleep(4.5 * MS)  # its redo log is flushed, and its binary log is not synced, and never is
            await server.crash(host=True)
            await asyncio.gather(committing, return_exceptions=True)
        server.restart()
        assert await values(admin) == [1, 0, 0, 0]

    there(body, durability=Durability(1, 1, 0), **ALL_STEPS)


@pytest.mark.parametrize("host", [False, True], ids=["process", "host"])
def test_a_crash_takes_back_inserts_updates_deletes_and_numbers_in_the_reverse_order_of_commits(host):
    async def body(server, admin):
        await admin.execute("CREATE TABLE n (id INT AUTO_INCREMENT PRIMARY KEY, a INT, UNIQUE (a))")
        async with sessions(server, 1) as (session,):
            await session.execute("INSERT INTO n (a) VALUES (10), (20)")
            await asyncio.sleep(2)  # which is flushed
            before = await admin.execute("SELECT * FROM n ORDER BY id")
            for statement in (
                "INSERT INTO n (a) VALUES (30)",
                "UPDATE n SET a = a + 1 WHERE a = 30",
                "DELETE FROM n WHERE a = 10",
                "UPDATE n SET a = 10 WHERE a = 20",
                "INSERT INTO n (a) VALUES (20)",
                "DELETE FROM n WHERE a = 31",
            ):
                await session.execute(statement)
            await asyncio.sleep(0.1)  # longer than purge waits; but it must not take away what recovery needs
            assert (await admin.execute("SELECT id, a FROM n ORDER BY id")).rows == [(2, 10), (4, 20)]
            await server.crash(host=host)
            server.restart()
            assert (await admin.execute("SELECT * FROM n ORDER BY id")).rows == before.rows
            assert (await admin.execute("SELECT a FROM n FORCE INDEX (a) ORDER BY a")).rows == [(10,), (20,)]
        async with sessions(server, 1) as (session,):
            assert (await session.execute("INSERT INTO n (a) VALUES (30)")).last_id == 3

    there(body, durability=Durability(1, 0, 0))


def test_a_change_of_definitions_flushes_what_was_committed_before_it():
    async def body(server, admin):
        async with sessions(server, 1) as (session,):
            await change(session, 1)
            await session.execute("CREATE TABLE n (id INT PRIMARY KEY)")
            await change(session, 2)
            await server.crash()
        server.restart()
        assert await values(admin) == [1, 0, 0, 0]
        assert not (await admin.execute("SELECT * FROM n")).rows

    there(body, durability=Durability(1, 0, 0))


def test_commits_take_effect_in_their_order_and_recovery_keeps_it():
    async def body(server, admin):
        async with sessions(server, 4) as four:
            committing = [asyncio.create_task(change(each, 1)) for each in four]
            await asyncio.sleep(1)
            await server.crash()
            await asyncio.gather(*committing)
        server.restart()
        assert (await values(admin))[0] == 4

    there(body, durability=Durability(1, 2, 1), **ALL_STEPS)


@pytest.mark.parametrize("settings", [(1, 3, 1), (1, 1, 2), (2, 1, 1)])
def test_a_setting_that_the_model_does_not_have_is_refused(settings):
    with pytest.raises(ValueError, match="it must be 0"):
        Durability(*settings)


def test_a_session_can_read_the_settings():
    async def body(server, admin):
        names = "@@log_bin, @@innodb_flush_log_at_trx_commit, @@sync_binlog"
        assert (await admin.execute(f"SELECT {names}")).rows == [(1, 2, 0)]

    there(body, durability=Durability(1, 2, 0))


# --- connections that are lost

STEPS = [(0.5, "on its way"), (1.5, "executed"), *((at / MS, step) for step, at in moments(Durability()).items())]
LOSSES = [pytest.param(at * MS, id=step) for at, step in STEPS]


@pytest.mark.parametrize("how", ["cut", "cancelled"])
@pytest.mark.parametrize("moment", LOSSES)
def test_a_request_that_has_arrived_is_committed_though_its_connection_is_lost(moment, how):
    async def body(server, admin):
        async with server.pool(1, "node1") as database:

            async def use():
                async with database.session() as session:
                    await session.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1; COMMIT")

            task = asyncio.create_task(use())
            if moment > 2 * MS:
                await asyncio.sleep(2 * MS)  # two more statements than one
            await asyncio.sleep(moment)
            if how == "cut":
                server.network.cut("node1", "mysql")
            else:
                task.cancel()
            answered = (await asyncio.gather(task, return_exceptions=True))[0] is None
            await asyncio.sleep(1)
            # of a cut connection, what is on its way is lost; a cancelled one ends behind what was sent
            kept = int(moment > MS or how == "cancelled")
            assert (await values(admin))[0] == kept
            assert server.engine.log.fates.unanswered == (kept and not answered)
            assert server.engine.data_locks() == []
            async with database.session() as session:
                await change(session, 2)

    there(body, **ALL_STEPS)


def test_a_cut_connection_tells_its_client_at_once_and_rolls_back_what_is_open():
    async def body(server, admin):
        async with sessions(server, 2) as (idle, waiting):
            await idle.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            asking = asyncio.create_task(waiting.execute("UPDATE t SET v = 5 WHERE id = 1"))
            await asyncio.sleep(1)
            begun = now()
            server.network.cut("node1", "mysql")
            with pytest.raises(ConnectionLostError, match="Lost connection"):
                await asking
            assert now() == begun
            with pytest.raises(ConnectionLostError, match="gone away"):
                await idle.commit()
            await asyncio.sleep(1)
            assert (await values(admin))[0] == 5  # it had arrived

    there(body, **ALL_STEPS)


def test_a_partition_loses_nothing_and_delays_the_answer():
    async def body(server, admin):
        async with sessions(server, 1) as (session,):
            asking = asyncio.create_task(change(session, 1))
            await asyncio.sleep(1.5 * MS)
            server.network.partition("node1", "mysql")
            await asyncio.sleep(5)
            assert (await values(admin))[0] == 1
            assert not asking.done()
            server.network.heal("node1", "mysql")
            assert (await asking).affected == 1
            assert server.engine.log.fates.unanswered == 0

    there(body, **ALL_STEPS)
