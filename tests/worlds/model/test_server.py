"""The modelled database server: how long its work takes, and its transactions, errors and counts."""

import asyncio

import pytest
from modelled_server import change, now, sessions, there, timed, together, values

from chatsim.db.errors import DatabaseError, DeadlockError, DuplicateKeyError
from chatsim.innodb.server.durability import Durability
from chatsim.simulation.links import Empirical
from chatsim.worlds.world import Costs

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


def test_a_row_that_is_written_and_a_commit_of_changes_take_a_core_too():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await session.execute("UPDATE t SET v = v + 1 WHERE id <= 3")
            assert now() == 1.0 + 3 * 0.25 + 8.0
            await session.script("BEGIN; DELETE FROM t WHERE id = 1; SELECT * FROM t")
            assert now() == 9.75 + 3.0 + 0.25
            await session.script("COMMIT")
            assert now() == 13.0 + 1.0 + 8.0
            await session.script("BEGIN; COMMIT")
            assert now() == 22.0 + 2.0  # nothing to commit

    there(body, statement=1.0, write=0.25, transaction=8.0)


def test_a_request_takes_a_core_once_and_each_table_that_a_statement_opens_too():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await session.script("SELECT 1; SELECT 2")
            assert now() == 4.0
            await session.script(
                "SELECT * FROM t WHERE id = 99; SELECT * FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 2"
            )
            assert now() == 4.0 + 4.0 + 3 * 0.5

    there(body, request=4.0, table=0.5)


def test_a_longer_text_and_each_value_that_is_sent_take_a_core():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await session.execute("SELECT  1,\n  2")
            assert now() == len("SELECT1,2") * 0.25 + 2 * 8.0
            begun = now()
            await session.script("DO 0; SELECT v FROM t WHERE id <= 3")
            assert now() - begun == len("DO0SELECTvFROMtWHEREid<=3") * 0.25 + 3 * 8.0

    there(body, character=0.25, value=8.0)


def test_a_row_takes_a_core_if_an_entry_of_another_index_led_to_it():
    async def body(server, admin):
        await admin.script("CREATE TABLE u (id INT PRIMARY KEY, a INT, b INT, KEY (a))")
        await admin.execute("INSERT INTO u VALUES (1, 1, 1), (2, 1, 2), (3, 2, 3)")
        async with sessions(server, 1) as (session,):
            for statement, fetched in (
                ("SELECT b FROM u FORCE INDEX (a) WHERE a = 1", 2),
                ("SELECT a FROM u FORCE INDEX (a) WHERE a = 1", 0),
                ("SELECT b FROM u WHERE id = 1", 0),
                ("SELECT b FROM u FORCE INDEX (a) WHERE a = 1 FOR UPDATE", 2),
            ):
                begun = now()
                await session.execute(statement)
                assert now() - begun == fetched * 0.5, statement

    there(body, fetch=0.5)


def test_a_temporary_table_takes_a_core():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            one, other = "SELECT v FROM t WHERE id = 1", "SELECT v FROM t WHERE id = 2"
            for statement, made in (
                (f"{one} UNION ALL {other}", 0),
                (f"({one}) UNION ALL ({other}) ORDER BY v", 1),
                (f"{one} UNION {other}", 1),
                (f"SELECT MAX(v) FROM ({one} UNION ALL {other}) both_of_them", 1),
                (f"SELECT * FROM ({one}) merged", 0),
            ):
                begun = now()
                await session.execute(statement)
                assert now() - begun == made * 0.5, statement

    there(body, temporary=0.5)


def test_each_index_entry_that_is_written_takes_a_core():
    async def body(server, admin):
        await admin.execute("CREATE TABLE u (id INT PRIMARY KEY, a INT, b INT, KEY (a), KEY (b))")
        async with sessions(server, 1) as (session,):
            await session.script("BEGIN; INSERT INTO u VALUES (1, 1, 1), (2, 2, 2)")
            assert now() == 6 * 1.0
            await session.execute("UPDATE u SET a = 3 WHERE id = 1")  # the row, the old entry, and the new one
            assert now() == 9 * 1.0
            await session.rollback()
            assert now() == 9 * 1.0 + 9 * 0.25

    there(body, write=1.0, undo=0.25)


def test_a_change_that_is_undone_takes_a_core_again_by_a_rollback_and_by_a_statement_that_fails():
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await session.script("BEGIN; UPDATE t SET v = v + 1 WHERE id <= 3; ROLLBACK")
            assert now() == 3 * 1.0 + 3 * 0.25 + 3 * 0.5
            begun = now()
            with pytest.raises(DuplicateKeyError):
                await session.execute("INSERT INTO t VALUES (8, 0), (9, 0), (1, 0)")
            assert now() - begun == 1.0 + 2 * 0.25 + 2 * 0.5

    there(body, statement=1.0, write=0.25, undo=0.5)


def test_a_wait_for_a_lock_takes_a_core_too_and_nobody_elses_work_is_charged():
    async def body(server, _):
        async with sessions(server, 2) as (holder, waiter):
            await holder.script("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1")
            waiting = asyncio.create_task(waiter.execute("UPDATE t SET v = v + 1 WHERE id = 1"))
            await asyncio.sleep(10.0)
            begun = now()
            await holder.script("UPDATE t SET v = v + 1 WHERE id = 2; COMMIT")
            assert now() - begun == 2 * 1.0 + 0.25
            await waiting
            assert now() - begun == 2 * 1.0 + 0.25 + 4.0 + 0.25  # its wait, and its own change

    there(body, statement=1.0, write=0.25, wait=4.0, cores=2)


def test_a_deadlock_is_seen_when_the_detector_has_looked():
    async def body(server, _):
        async with sessions(server, 2) as (one, other):
            await one.script("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1")
            await other.script("BEGIN; UPDATE t SET v = v + 1 WHERE id = 2")
            first = asyncio.create_task(one.execute("UPDATE t SET v = v + 1 WHERE id = 2"))
            await asyncio.sleep(5.0)
            begun = now()
            with pytest.raises(DeadlockError):
                await other.execute("UPDATE t SET v = v + 1 WHERE id = 1")
            assert now() - begun == 3.0
            await first
            assert server.engine.locks.waits.deadlocks == 1

    there(body, detection=3.0, cores=2)


def test_a_flush_takes_a_time_that_is_drawn_for_each_group_of_commits():
    async def body(server, _):
        async with sessions(server, 3) as three:
            ends = []
            for turn in range(4):
                begun = now()
                await together(
                    *(each.execute(f"UPDATE t SET v = {turn + 1} WHERE id = {at + 1}") for at, each in enumerate(three))
                )
                ends.append(now() - begun)
            return ends

    ends = there(body, flush=Empirical((1.0, 4.0)), cores=3, seed=2)
    assert {*ends} <= {1.0, 4.0, 2.0, 5.0, 8.0}
    assert len({*ends}) > 1


def test_one_thread_does_the_work_for_a_group_of_commits():
    async def body(server, _):
        async with sessions(server, 3) as three:
            assert await together(*(timed(change(each, at + 1)) for at, each in enumerate(three))) == [3.0] * 3
            assert await timed(change(three[0], 4)) == 6.0
        assert server.cpu.busy_seconds == 2 * 1.0
        assert server.costs().flushes == 2

    there(body, cores=4, group=1.0, flush=2.0)


def test_a_rollback_of_changes_waits_for_half_a_flush_when_its_locks_are_free():
    async def body(server, _):
        async with sessions(server, 2) as (session, other):
            await session.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            rolling_back = asyncio.create_task(timed(session.rollback()))
            await asyncio.sleep(0)
            await other.script("BEGIN; SELECT * FROM t WHERE id = 1 FOR UPDATE")
            assert now() == 0.0
            assert await rolling_back == 1.0
            assert server.costs().flushes == 1
            await session.script("BEGIN; SELECT * FROM t WHERE id = 2 FOR UPDATE; ROLLBACK")
            assert now() == 1.0  # there is nothing to write

    there(body, flush=2.0)


@pytest.mark.parametrize("settings", [Durability(1, 2, 1), Durability(0, 0, 0)])
def test_a_rollback_waits_for_no_flush_that_a_commit_does_not_wait_for(settings):
    async def body(server, _):
        async with sessions(server, 1) as (session,):
            await session.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1; ROLLBACK")
            assert now() == 0.0

    there(body, flush=2.0, durability=settings)


def test_a_rollback_and_a_commit_share_a_group():
    async def body(server, _):
        async with sessions(server, 3) as (first, one, other):
            await one.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            committing = asyncio.create_task(timed(change(first, 3)))
            await asyncio.sleep(0.5)
            assert await together(timed(one.rollback()), timed(change(other, 2))) == [4.0, 4.0]
            assert await committing == 2.0

    there(body, flush=2.0, cores=3)


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
            assert now() == 5

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
            with pytest.raises(NotImplementedError, match="as a window function"):
                await session.execute("SELECT STD(id) OVER (ORDER BY id) FROM t")

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
            await admin.script("SELECT * FROM t; SELECT * FROM t WHERE id = 4 FOR SHARE")
            with pytest.raises(DatabaseError):
                await one.execute("SELECT nope FROM t")
            await one.commit()
            await waiting
            spent = server.costs() - before
            assert spent == Costs(4, statements=5, rows_examined=4 + 1 + 2, lock_waits=1, lock_requests=1 + 2)

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
