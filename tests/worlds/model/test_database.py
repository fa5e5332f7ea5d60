"""The database server as a machine: what its work takes, who waits for whose, and what a lost connection leaves."""

import asyncio
from contextlib import asynccontextmanager

import msgspec
import numpy as np
import pytest

from chatsim.db.errors import ConnectionLostError, DatabaseError, DeadlockError, DuplicateKeyError
from chatsim.db.session import Isolation
from chatsim.simulation.links import Constant, Link, Topology
from chatsim.simulation.loop import current_loop, run
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.database import AdminSession, ModelServer
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.world import Costs, WorldError

FREE = {"cores": 2, "connections": 10, "statement": 0.0, "record": 0.0, "flush": 0.0, "misses": 0.0, "read": 0.0}
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v INT)"
ROWS = "INSERT INTO t VALUES (1, 0), (2, 0), (3, 0), (4, 0)"


def now():
    return asyncio.get_running_loop().time()


def there(body, *, latency=0.0, seed=1, **costs):
    """Run a test with a server that has the table and costs nothing but what is said; gives what the test gives."""

    async def main():
        network = ModelNetwork(Topology(link=Link(Constant(latency))), rng=np.random.default_rng(seed))
        own = msgspec.structs.replace(ModelCosts.read().database, **FREE | costs)
        server = ModelServer(network, own, current_loop().time, np.random.default_rng(seed))
        admin = AdminSession(server.engine)
        await admin.script(f"{TABLE}; {ROWS}")
        return await body(server, admin)

    return run(main())


@asynccontextmanager
async def sessions(server, count, isolation=None):
    """So many sessions from one pool."""
    async with server.pool(count, "node1") as database:
        leases = [database.session(isolation) for _ in range(count)]
        yield [await lease.__aenter__() for lease in leases]
        for lease in leases:
            await lease.__aexit__(None, None, None)


async def together(*coroutines):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in coroutines]
    return [task.result() for task in tasks]


async def timed(coroutine):
    await coroutine
    return now()


async def values(admin):
    return [v for (v,) in (await admin.execute("SELECT v FROM t ORDER BY id")).rows]


# --- what work takes


def test_a_statement_takes_a_round_trip_a_core_and_something_for_each_record():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await session.execute("SELECT 1")
            assert now() == 1 + 0.5
            await session.execute("SELECT * FROM t")
            assert now() == 1.5 + 1 + 0.5 + 4 * 0.125
            assert server.cpu.busy_seconds == 0.5 + 0.5 + 4 * 0.125

    there(body, latency=0.5, statement=0.5, record=0.125)


def test_a_script_is_one_round_trip():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            first, second, third = await session.script("SELECT 1; SELECT v FROM t WHERE id = ?; SELECT 3", (1,))
            assert [first.scalar(), second.scalar(), third.scalar()] == [1, 0, 3]
            assert now() == 1 + 3 * 0.25
            assert server.costs().round_trips == 1

    there(body, latency=0.5, statement=0.25)


@pytest.mark.parametrize(("cores", "ends"), [(1, [1, 2, 3, 4]), (2, [1, 1, 2, 2]), (4, [1, 1, 1, 1])])
def test_statements_wait_for_a_core(cores, ends):
    async def body(server, _):
        async with sessions(server, 4) as four:
            assert await together(*(timed(each.execute("SELECT 1")) for each in four)) == ends

    there(body, cores=cores, statement=1.0)


def test_who_waits_for_a_lock_takes_no_core():
    async def body(server, _):
        async with sessions(server, 3) as (holder, waiter, other):
            await holder.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            waiting = asyncio.create_task(waiter.execute("UPDATE t SET v = 2 WHERE id = 1"))
            await asyncio.sleep(5)
            begun = now()
            await other.execute("SELECT 1")
            assert now() == begun + 1
            await holder.commit()
            await waiting

    there(body, cores=1, statement=1.0)


@pytest.mark.parametrize(("misses", "seconds"), [(0.0, 0), (1.0, 4 * 2.0)])
def test_a_record_that_is_not_in_memory_is_waited_for_and_takes_no_core(misses, seconds):
    async def body(server, _):
        async with sessions(server, 2) as two:
            await together(*(each.execute("SELECT * FROM t") for each in two))
            assert now() == seconds
            assert server.cpu.busy_seconds == 0

    there(body, cores=1, misses=misses, read=2.0)


def test_which_records_are_not_in_memory_is_up_to_the_seed():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            return [await timed(session.execute("SELECT * FROM t")) for _ in range(50)]

    first = there(body, misses=0.5, read=1.0)
    assert there(body, misses=0.5, read=1.0) == first
    assert there(body, misses=0.5, read=1.0, seed=2) != first
    assert 50 < first[-1] < 150


# --- commits


def change(session, number):
    return session.execute("UPDATE t SET v = v + 1 WHERE id = ?", (number,))


def test_a_commit_with_changes_waits_until_its_log_is_on_disk():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await change(session, 1)
            assert now() == 2
            await session.script("BEGIN; UPDATE t SET v = 7 WHERE id = 1; UPDATE t SET v = 8 WHERE id = 2")
            assert now() == 2
            await session.commit()
            assert now() == 4
            await session.script("BEGIN; UPDATE t SET v = 7 WHERE id = 3; ROLLBACK; SELECT * FROM t; BEGIN; COMMIT")
            assert now() == 4

    there(body, flush=2.0)


def test_commits_of_one_instant_share_a_write():
    async def body(server, _):
        async with sessions(server, 4) as four:
            ends = await together(*(timed(change(each, at)) for at, each in enumerate(four, 1)))
            assert ends == [2, 2, 2, 2]

    there(body, cores=4, flush=2.0)


def test_commits_that_come_during_a_write_share_the_next():
    async def body(server, _):
        async with sessions(server, 4) as four:

            async def later(at):
                await asyncio.sleep(at * 0.5)
                return await timed(change(four[at], at + 1))

            assert await together(*(later(at) for at in range(4))) == [2, 4, 4, 4]
            assert await timed(change(four[0], 1)) == 6

    there(body, flush=2.0)


def test_until_its_log_is_on_disk_a_commit_is_not_seen_and_its_locks_are_held():
    async def body(server, admin):
        async with sessions(server, 2) as (one, other):
            committing = asyncio.create_task(change(one, 1))
            await asyncio.sleep(1)
            assert (await values(admin))[0] == 0
            assert await timed(change(other, 1)) == 4
            await committing
            assert (await values(admin))[0] == 2

    there(body, flush=2.0)


def test_who_stops_waiting_for_a_write_does_not_stop_the_write_of_the_others():
    async def body(server, _):
        async with sessions(server, 2) as (one, other):
            tasks = [asyncio.create_task(timed(change(each, at))) for at, each in ((1, one), (2, other))]
            await asyncio.sleep(1)
            tasks[0].cancel()
            assert await tasks[1] == 2
            assert tasks[0].cancelled()

    there(body, flush=2.0)


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
def test_a_cancelled_statements_connection_is_not_used_again_and_its_transaction_is_gone(moment):
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
            assert numbers[0] not in server.engine.sessions
            assert server.engine.data_lock_waits() == []
            assert {each.session for each in server.engine.data_locks()} == {holder.connection_id}
            async with database.session() as session:
                assert session.connection_id != numbers[0]
                assert (await session.execute("SELECT v FROM t WHERE id = 2")).scalar() == 0
            await holder.rollback()

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


@pytest.mark.parametrize(("moment", "kept"), [(2.9, 0), (3.1, 1)], ids=["before", "after"])
def test_a_commit_is_lost_before_its_log_is_on_disk_and_kept_behind_that_though_nobody_is_told(moment, kept):
    async def body(server, admin):
        async with sessions(server, 1) as (session,):
            committing = asyncio.create_task(session.script("UPDATE t SET v = 1 WHERE id = 1; SELECT * FROM t"))
            await crash_at(server, moment)
            assert await lost(committing) == 2013
            server.restart()
            assert (await values(admin))[0] == kept

    there(body, statement=1.0, flush=2.0)


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


# --- transactions and errors


def test_a_session_says_whether_a_transaction_is_open():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            states = [session.in_transaction]
            for step in (session.begin, session.commit, session.rollback, session.begin, session.rollback):
                await step()
                states.append(session.in_transaction)
            assert states == [False, True, False, False, True, False]

    there(body)


def test_an_error_ends_a_script_there_and_the_connection_lives_on():
    async def body(server, admin):
        async with server.pool(1, "node1") as database:
            async with database.session() as session:
                number = session.connection_id
                with pytest.raises(DuplicateKeyError, match=r"Duplicate entry '1' for key 't.PRIMARY'"):
                    await session.script("UPDATE t SET v = 1; INSERT INTO t VALUES (1, 1); UPDATE t SET v = 2")
                assert now() == 1
            with pytest.raises(DatabaseError, match=r"Table 'nope' doesn't exist"):
                async with database.session() as session:
                    await session.execute("SELECT * FROM nope")
            async with database.session() as session:
                assert session.connection_id == number
            assert await values(admin) == [1, 1, 1, 1]

    there(body, latency=0.5)


def test_what_the_model_does_not_understand_is_named():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            with pytest.raises(NotImplementedError, match="Window: ROW_NUMBER"):
                await session.execute("SELECT ROW_NUMBER() OVER (ORDER BY id) FROM t")

    there(body)


def test_of_a_deadlock_one_is_told_and_has_no_transaction_any_more():
    async def body(server, admin):
        async with sessions(server, 2) as pair:
            outcomes = []

            async def cross(session, first, second):
                await session.begin()
                await change(session, first)
                await asyncio.sleep(1)
                try:
                    await change(session, second)
                    await session.commit()
                except DeadlockError as error:
                    outcomes.append((error.errno, session.in_transaction))

            await together(cross(pair[0], 1, 2), cross(pair[1], 2, 1))
            assert outcomes == [(1213, False)]
            assert await values(admin) == [1, 1, 0, 0]

    there(body)


# --- what is counted


def test_costs_are_counts_of_what_pools_asked_for():
    async def body(server, admin):
        async with sessions(server, 2) as (one, other):
            before = server.costs()
            await one.script("BEGIN; SELECT * FROM t; UPDATE t SET v = 1 WHERE id = 1")
            waiting = asyncio.create_task(change(other, 1))  # which looks at its record again when it has waited
            await asyncio.sleep(1)
            await admin.script("SELECT * FROM t; SELECT COUNT(*) FROM t")
            with pytest.raises(DatabaseError):
                await one.execute("SELECT nope FROM t")
            await one.commit()
            await waiting
            assert server.costs() - before == Costs(4, statements=5, rows_examined=4 + 1 + 2, lock_waits=1)

    there(body)


def test_an_admins_work_takes_no_time_and_is_not_counted():
    async def body(server, admin):
        before = server.costs()
        await admin.script("INSERT INTO t VALUES (9, 9); UPDATE t SET v = 3; SELECT * FROM t")
        await admin.begin()
        await admin.execute("DELETE FROM t")
        assert admin.in_transaction
        await admin.rollback()
        assert (now(), server.cpu.busy_seconds, server.costs()) == (0, 0, before)
        assert await values(admin) == [3] * 5

    there(body, latency=1.0, statement=1.0, record=1.0, flush=1.0)


def test_what_others_do_while_an_admin_waits_is_counted():
    async def body(server, admin):
        async with sessions(server, 1) as (session,):
            await session.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            before = server.costs().statements
            waiting = asyncio.create_task(admin.execute("UPDATE t SET v = 2 WHERE id = 1"))
            await asyncio.sleep(1)
            await session.script("SELECT 1; COMMIT")
            await waiting
            assert server.costs().statements == before + 2

    there(body)


def test_the_same_seed_gives_the_same_times():
    async def body(server, _):
        async with sessions(server, 4) as four:

            async def work(session, at):
                return [await timed(change(session, 1 + (at + step) % 4)) for step in range(10)]

            return await together(*(work(each, at) for at, each in enumerate(four)))

    costs = {"latency": 0.25, "cores": 1, "statement": 0.1, "record": 0.01, "flush": 0.5, "misses": 0.3, "read": 0.7}
    first = there(body, **costs)
    assert there(body, **costs) == first
    assert there(body, **costs, seed=5) != first
