"""Connections to the modelled database server, also when they or the server are lost."""

import asyncio

import pytest
from modelled_server import change, now, sessions, there, timed, together, values

from chatsim.db.errors import ConnectionLostError
from chatsim.db.session import Isolation
from chatsim.worlds.world import WorldError

# --- connections


def test_a_pool_makes_those_who_want_more_connections_wait():
    async def body(server, _):
        async with server.pool(2, "node1") as database:

            async def use():
                async with database.session() as session:
                    await session.execute("SELECT 1")
                    return session.connection_id, now()

            used = await together(*(use() for _ in range(4)))
            assert [end for _, end in used] == [1, 1, 2, 2]
            assert len({number for number, _ in used}) == 2

    there(body, statement=1.0)


def test_more_connections_than_the_server_takes_can_not_be_had_and_are_when_others_have_gone():
    async def body(server, _):
        async with server.pool(7, "node1"):
            with pytest.raises(WorldError, match=r"^4 connections can't be had: the server takes 10 and has 7$"):
                await server.pool(4, "node2").__aenter__()
            async with server.pool(3, "node2"):
                assert server.connections == 10
        async with server.pool(10, "node2"):
            pass
        assert server.connections == 0

    there(body)


def test_a_pool_that_ends_leaves_no_session():
    async def body(server, _):
        before = set(server.engine.sessions)
        async with server.pool(2, "node1") as database, database.session() as session:
            await session.execute("SELECT GET_LOCK('a', 0)")
            assert set(server.engine.sessions) > before
        assert set(server.engine.sessions) == before
        assert server.engine.user_locks.holder("a") is None

    there(body)


def test_a_connection_that_comes_back_with_a_transaction_open_is_closed():
    async def body(server, admin):
        async with server.pool(1, "node1") as database:
            async with database.session() as session:
                await session.script("BEGIN; UPDATE t SET v = 9 WHERE id = 1")
                first = session.connection_id
            async with database.session() as session:
                assert session.connection_id != first
                assert not session.in_transaction
            assert await values(admin) == [0, 0, 0, 0]
            assert server.engine.data_locks() == []

    there(body)


@pytest.mark.parametrize("moment", [0.25, 1.0, 5.0], ids=["on its way", "at work", "waiting for a lock"])
def test_a_cancelled_statements_connection_is_not_used_again_and_its_transaction_goes_when_it_has_ended(moment):
    async def body(server, admin):
        async with server.pool(2, "node1") as database, database.session() as holder:
            await holder.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            numbers, begun = [], asyncio.Event()

            async def use():
                async with database.session() as session:
                    await session.script("BEGIN; UPDATE t SET v = 9 WHERE id = 2")
                    numbers.append(session.connection_id)
                    begun.set()
                    await session.execute("UPDATE t SET v = 9 WHERE id = 1")

            task = asyncio.create_task(use())
            await begun.wait()
            await asyncio.sleep(moment)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            async with database.session() as session:
                assert session.connection_id != numbers[0]
                await asyncio.sleep(9)  # the server executes what has arrived, and looks at the connection then
                assert {each.session for each in server.engine.data_lock_waits()} == {numbers[0]}
                await holder.rollback()
                await asyncio.sleep(0)
                assert numbers[0] not in server.engine.sessions
                assert server.engine.data_locks() == []
                assert (await session.execute("SELECT v FROM t WHERE id = 2")).scalar() == 0

    there(body, latency=0.5, statement=1.0)


@pytest.mark.parametrize("moment", [0.25, 1.0, 5.0], ids=["on its way", "at work", "waiting for a lock"])
def test_after_a_cancelled_statement_nothing_can_be_asked_and_no_transaction_is_known(moment):
    """A ROLLBACK beside a statement that is still at work would leave the statement's locks behind for good."""

    async def body(server, admin):
        async with server.pool(2, "node1") as database, database.session() as holder:
            await holder.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            told = []

            async def use():
                async with database.session() as session:
                    try:
                        await session.script("BEGIN; UPDATE t SET v = 9 WHERE id IN (1, 2)")
                    finally:
                        told.append(session.in_transaction)
                        with pytest.raises(
                            ConnectionLostError, match="was cancelled, and its answer has not been read"
                        ):
                            await session.rollback()

            task = asyncio.create_task(use())
            await asyncio.sleep(moment)
            task.cancel()
            await asyncio.wait([task])
            assert told == [False]
            await asyncio.sleep(9)
            await holder.rollback()
            await asyncio.sleep(9)
            assert server.engine.data_locks() == []

    there(body, latency=0.5, statement=1.0)


def test_a_session_has_the_isolation_that_it_was_leased_with():
    async def body(server, _):
        async with server.pool(1, "node1") as database:
            for wanted in (Isolation.READ_COMMITTED, None):
                async with database.session(wanted) as session:
                    answer = await session.execute("SELECT @@transaction_isolation")
                    assert answer.rows == [("READ-COMMITTED" if wanted else "REPEATABLE-READ",)]

    there(body)


@pytest.mark.parametrize("level", [Isolation.READ_COMMITTED, Isolation.SERIALIZABLE])
def test_a_transaction_has_the_isolation_that_it_was_begun_with(level):
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await session.begin(level)
            await session.execute("SELECT * FROM t")
            assert [each.trx.isolation for each in server.engine.sessions.values() if each.trx] == [level]

    there(body)


# --- crashes


async def lost(coroutine):
    """The number of the error that a lost connection is told by."""
    with pytest.raises(ConnectionLostError) as caught:
        await coroutine
    return caught.value.errno


async def crash_at(server, moment):
    await asyncio.sleep(moment - now())
    await server.crash()
    assert now() == moment


@pytest.mark.parametrize(
    ("moment", "told"),
    [(0.25, 1.0), (1.0, 1.5), (2.0, 2.5), (5.0, 5.5)],
    ids=["on its way", "waiting for a core", "at work", "waiting for a lock"],
)
def test_what_is_under_way_when_the_server_crashes_is_told_so_over_the_network(moment, told):
    async def body(server, admin):
        await admin.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
        async with sessions(server, 2) as (one, other):
            first = asyncio.create_task(other.execute("UPDATE t SET v = 2 WHERE id = 1"))
            second = asyncio.create_task(one.execute("UPDATE t SET v = 2 WHERE id = 1"))
            await crash_at(server, moment)
            assert {await lost(first), await lost(second)} <= {2006, 2013}
            assert now() == told
            assert server.engine.data_locks() == []

    there(body, latency=0.5, cores=1, statement=1.0)


def test_a_crash_leaves_what_was_committed_and_nothing_else():
    async def body(server, admin):
        async with sessions(server, 2) as (one, other):
            await one.execute("UPDATE t SET v = 1 WHERE id = 1")
            await one.script(
                "BEGIN; UPDATE t SET v = 2 WHERE id = 2; DELETE FROM t WHERE id = 4; SELECT GET_LOCK('a', 0)"
            )
            waiting = asyncio.create_task(lost(other.execute("UPDATE t SET v = 3 WHERE id = 2")))
            naming = asyncio.create_task(lost(admin.execute("SELECT GET_LOCK('a', 9)")))
            await asyncio.sleep(1)
            await server.crash()
            assert [await waiting, await naming] == [2013, 2013]
            server.restart()
            assert await values(admin) == [1, 0, 0, 0]
            assert server.engine.data_locks() == []
            assert (await admin.execute("SELECT GET_LOCK('a', 0)")).scalar() == 1

    there(body)


def test_a_commit_whose_answer_is_on_its_way_is_answered():
    async def body(server, admin):
        async with sessions(server, 1) as (session,):
            committing = asyncio.create_task(change(session, 1))
            await crash_at(server, 2.75)
            assert (await committing).affected == 1
            assert now() == 3
            assert await lost(change(session, 1)) == 2006

    there(body, latency=0.5, flush=2.0)


def test_while_the_server_is_down_no_connection_is_to_be_had_and_afterwards_new_ones_are():
    async def body(server, _):
        async with server.pool(2, "node1") as database:
            async with database.session() as session, database.session():
                before = session.connection_id
            await server.crash()
            begun = now()
            assert await lost(database.session().__aenter__()) == 2013
            assert now() == begun + 1
            server.restart()
            async with database.session() as one, database.session() as two:
                assert {one.connection_id, two.connection_id}.isdisjoint({before, before + 1})
                await change(one, 1)

    there(body, latency=0.5)


def test_a_connection_from_before_a_crash_is_of_no_use_after_it():
    async def body(server, admin):
        async with server.pool(1, "node1") as database:
            async with database.session() as session:
                await session.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
                await server.crash()
                server.restart()
                assert await lost(session.commit()) == 2006
            async with database.session() as session:
                await change(session, 2)
            assert await values(admin) == [0, 1, 0, 0]

    there(body)


def test_the_log_is_written_again_after_a_crash_in_the_middle_of_a_write():
    async def body(server, _):
        async with server.pool(2, "node1") as database:
            async with database.session() as one, database.session() as two:
                early, late = (asyncio.create_task(lost(change(each, at))) for at, each in ((1, one), (2, two)))
                await crash_at(server, 1.0)
                assert [await early, await late] == [2013, 2013]
            server.restart()
            async with database.session() as session:
                assert await timed(change(session, 1)) == 3

    there(body, flush=2.0)


def test_who_has_cancelled_a_statement_is_not_told_of_a_crash_of_the_same_instant():
    async def body(server, admin):
        await admin.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
        async with sessions(server, 1) as (session,):
            task = asyncio.create_task(change(session, 1))
            await asyncio.sleep(1)
            crashing = asyncio.create_task(server.crash())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task, crashing])
            assert task.cancelled()

    there(body)


def test_a_deadline_around_a_statement_still_stands_after_a_crash():
    async def body(server, admin):
        await admin.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
        async with sessions(server, 1) as (session,):

            async def within():
                async with asyncio.timeout(5):
                    with pytest.raises(ConnectionLostError):
                        await change(session, 1)
                    await asyncio.sleep(9)

            task = asyncio.create_task(within())
            await crash_at(server, 1)
            with pytest.raises(TimeoutError):
                await task
            assert now() == 5

    there(body)
