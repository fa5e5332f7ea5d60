"""Locks by name: GET_LOCK's, and those that keep a table as it is while a transaction uses it."""

import asyncio

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.named_locks import CycleError, NamedLocks
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import current_loop, run


def now():
    return asyncio.get_running_loop().time()


async def settled(coroutine):
    """Start something and let it come to where it waits."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0.001)
    return task


def there(body):
    """Run a test with locks that nobody holds before or after it, in virtual time."""

    async def main():
        locks = NamedLocks()
        await body(locks)
        for owner in range(10):
            locks.release_all(owner)
        assert (locks._names, locks.waits()) == ({}, {})

    run(main())


def served(body):
    """Run a test with an engine that has two tables, in virtual time."""

    async def main():
        engine = Engine(current_loop().time, purges=False)
        admin = EngineSession(engine)
        for name in ("t", "u"):
            await admin.run(f"CREATE TABLE {name} (id INT PRIMARY KEY)")
        await body(engine, admin, EngineSession(engine))

    run(main())


async def value(session, sql):
    (answer,) = await session.run(sql)
    return answer.rows[0][0]


# --- one holder, a queue


def test_who_holds_a_lock_may_take_it_again_and_has_to_let_go_as_often():
    async def body(locks):
        assert await locks.acquire("a", 1)
        assert await locks.acquire("a", 1)
        assert not await locks.acquire("a", 2, seconds=0)
        assert locks.release("a", 1)
        assert locks.holder("a") == 1
        assert locks.release("a", 1)
        assert locks.holder("a") is None
        assert not locks.release("a", 1)

    there(body)


def test_a_lock_is_let_go_wholly_or_with_all_others():
    async def body(locks):
        for name in "aab":
            await locks.acquire(name, 1)
        assert locks.release("a", 1, wholly=True)
        assert locks.holder("a") is None
        await locks.acquire("a", 1)
        await locks.acquire("a", 1)
        assert locks.release_all(1) == 3
        assert locks.release_all(1) == 0

    there(body)


def test_only_its_holder_lets_go_of_a_lock():
    async def body(locks):
        await locks.acquire("a", 1)
        assert not locks.release("a", 2)
        assert not locks.release("b", 1)
        assert locks.release_all(2) == 0
        assert locks.holder("a") == 1

    there(body)


def test_those_who_wait_get_it_in_the_order_they_came():
    async def body(locks):
        got = []

        async def take(owner):
            assert await locks.acquire("a", owner)
            got.append((owner, now()))
            await asyncio.sleep(1)
            locks.release("a", owner)

        await asyncio.gather(*(take(owner) for owner in (4, 2, 9, 1)))
        assert got == [(4, 0), (2, 1), (9, 2), (1, 3)]

    there(body)


def test_who_waits_is_told_with_whom_it_waits_for():
    async def body(locks):
        await locks.acquire("a", 1)
        waiters = [await settled(locks.acquire("a", owner)) for owner in (2, 3)]
        assert locks.waits() == {2: ("a", [1]), 3: ("a", [1, 2])}
        locks.release("a", 1)
        locks.release("a", 2)
        assert [await each for each in waiters] == [True, True]

    there(body)


def test_who_can_not_have_it_in_time_is_not_in_the_queue_any_more():
    async def body(locks):
        await locks.acquire("a", 1)
        assert not await locks.acquire("a", 2, seconds=3)
        assert now() == 3
        assert locks.waits() == {}
        locks.release("a", 1)
        assert locks.holder("a") is None

    there(body)


def test_a_lock_that_comes_free_in_time_is_had():
    async def body(locks):
        await locks.acquire("a", 1)
        waiter = await settled(locks.acquire("a", 2, seconds=3))
        await asyncio.sleep(2)
        locks.release("a", 1)
        assert await waiter
        await asyncio.sleep(9)
        assert locks.holder("a") == 2

    there(body)


def test_who_is_told_that_time_is_over_does_not_hold_the_lock_though_it_came_free_just_then():
    async def body(locks):
        await locks.acquire("a", 1)
        asyncio.get_running_loop().call_later(5, locks.release, "a", 1)
        got = await locks.acquire("a", 2, seconds=5)
        assert locks.holder("a") == (2 if got else None)

    there(body)


# --- cancelled


def test_who_is_cancelled_leaves_the_queue_and_those_behind_it_move_up():
    async def body(locks):
        await locks.acquire("a", 1)
        second, third = [await settled(locks.acquire("a", owner)) for owner in (2, 3)]
        second.cancel()
        await asyncio.wait([second])
        assert locks.waits() == {3: ("a", [1])}
        locks.release("a", 1)
        assert await third
        assert locks.holder("a") == 3

    there(body)


def test_a_cancelled_wish_to_have_it_alone_lets_those_go_who_would_share_it():
    async def body(locks):
        await locks.acquire("a", 1, shared=True)
        alone = await settled(locks.acquire("a", 2))
        sharing = [await settled(locks.acquire("a", owner, shared=True)) for owner in (3, 4)]
        alone.cancel()
        await asyncio.wait([alone])
        assert [await each for each in sharing] == [True, True]

    there(body)


def test_who_is_cancelled_does_not_hold_the_lock_though_it_came_free_just_then():
    async def body(locks):
        await locks.acquire("a", 1)
        waiter = await settled(locks.acquire("a", 2))
        locks.release("a", 1)
        waiter.cancel()
        await asyncio.wait([waiter])
        assert waiter.cancelled()
        assert locks.holder("a") is None

    there(body)


# --- shared


def test_a_shared_lock_is_had_by_many_and_alone_by_none_of_the_others():
    async def body(locks):
        for owner in (1, 2, 3):
            assert await locks.acquire("a", owner, shared=True)
        assert not await locks.acquire("a", 4, seconds=0)
        assert not await locks.acquire("a", 1, seconds=0)
        locks.release("a", 2)
        locks.release("a", 3)
        assert await locks.acquire("a", 1, seconds=0)
        assert not await locks.acquire("a", 2, shared=True, seconds=0)

    there(body)


def test_who_would_share_waits_behind_who_wants_it_alone_unless_it_shares_already():
    async def body(locks):
        await locks.acquire("a", 1, shared=True)
        alone = await settled(locks.acquire("a", 2))
        assert not await locks.acquire("a", 3, shared=True, seconds=1)
        assert await locks.acquire("a", 1, shared=True)
        locks.release("a", 1, wholly=True)
        assert await alone

    there(body)


def test_what_one_has_alone_one_may_also_share():
    async def body(locks):
        await locks.acquire("a", 1)
        assert await locks.acquire("a", 1, shared=True)
        assert not await locks.acquire("a", 2, shared=True, seconds=0)

    there(body)


# --- cycles


@pytest.mark.parametrize("length", [2, 3, 7])
def test_who_would_wait_for_himself_is_told_and_nobody_loses_anything(length):
    async def body(locks):
        for owner in range(length):
            await locks.acquire(f"{owner}", owner)
        waiters = [await settled(locks.acquire(f"{owner + 1}", owner)) for owner in range(length - 1)]
        with pytest.raises(CycleError):
            await locks.acquire("0", length - 1)
        assert [locks.holder(f"{owner}") for owner in range(length)] == list(range(length))
        assert len(locks.waits()) == length - 1
        for owner in reversed(range(length)):
            locks.release_all(owner)
        assert all([await each for each in waiters])

    there(body)


def test_a_cycle_through_the_queue_is_seen_as_well():
    async def body(locks):
        await locks.acquire("a", 1)
        await locks.acquire("b", 3)
        ahead = await settled(locks.acquire("a", 2))
        behind = await settled(locks.acquire("a", 3))
        with pytest.raises(CycleError):
            await locks.acquire("b", 1)
        locks.release("a", 1)
        assert await ahead
        locks.release("a", 2)
        assert await behind

    there(body)


# --- GET_LOCK, as statements


def test_the_functions_answer_as_mysql_does():
    async def body(engine, one, other):
        assert await value(one, "SELECT IS_FREE_LOCK('a')") == 1
        assert await value(one, "SELECT IS_USED_LOCK('a')") is None
        assert await value(one, "SELECT RELEASE_LOCK('a')") is None
        assert await value(one, "SELECT GET_LOCK('a', 1)") == 1
        assert await value(other, "SELECT IS_FREE_LOCK('a')") == 0
        assert await value(other, "SELECT IS_USED_LOCK('a')") == one.connection_id
        assert await value(other, "SELECT RELEASE_LOCK('a')") == 0
        assert await value(other, "SELECT GET_LOCK('A', 2)") == 0
        assert now() == 2
        assert await value(one, "SELECT GET_LOCK('a', 1)") == 1
        assert await value(one, "SELECT RELEASE_ALL_LOCKS()") == 2

    served(body)


def test_a_negative_time_waits_as_long_as_it_takes():
    async def body(engine, one, other):
        await value(one, "SELECT GET_LOCK('a', -1)")
        waiting = await settled(value(other, "SELECT GET_LOCK('a', -1)"))
        assert [(each.session, each.on, each.by) for each in engine.data_lock_waits()] == [(2, "user_lock", (1,))]
        await asyncio.sleep(100_000)
        assert not waiting.done()
        one.close()
        assert await waiting == 1

    served(body)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_lock_outlives_its_transaction_and_not_its_session(end):
    async def body(engine, one, other):
        await one.run("BEGIN; SELECT GET_LOCK('a', 1)")
        await one.run(end)
        assert await value(other, "SELECT IS_FREE_LOCK('a')") == 0
        one.close()
        assert await value(other, "SELECT IS_FREE_LOCK('a')") == 1

    served(body)


def test_a_cycle_is_error_3058_to_who_closes_it_whose_transaction_goes_on():
    async def body(engine, one, other):
        await one.run("SELECT GET_LOCK('a', 1)")
        await other.run("BEGIN; INSERT INTO t VALUES (1); SELECT GET_LOCK('b', 1)")
        waiting = await settled(value(one, "SELECT GET_LOCK('b', 9)"))
        with pytest.raises(DatabaseError) as caught:
            await other.run("SELECT GET_LOCK('a', 9)")
        assert caught.value.errno == 3058
        assert other.in_transaction
        assert other.trx.undo_log
        assert not waiting.done()
        await other.run("SELECT RELEASE_LOCK('b')")
        assert await waiting == 1

    served(body)


def test_a_name_that_is_none_is_refused():
    async def body(engine, one, _):
        for name in ("NULL", "''", f"'{'x' * 65}'"):
            with pytest.raises(DatabaseError) as caught:
                await one.run(f"SELECT GET_LOCK({name}, 1)")
            assert caught.value.errno in (3057, 4163)

    served(body)


# --- tables in use


def test_a_table_is_not_changed_while_a_transaction_uses_it_and_others_wait_behind():
    async def body(engine, user, changer):
        await user.run("BEGIN; SELECT * FROM t")
        dropping = await settled(changer.run("DROP TABLE t"))
        late = EngineSession(engine)
        reading = await settled(late.run("SELECT * FROM t"))
        assert {(each.session, each.on) for each in engine.data_lock_waits()} == {
            (2, "metadata_lock"),
            (3, "metadata_lock"),
        }
        assert await value(user, "SELECT COUNT(*) FROM t") == 0
        await user.run("COMMIT")
        await dropping
        with pytest.raises(DatabaseError, match="doesn't exist"):
            await reading

    served(body)


def test_in_autocommit_a_table_is_free_when_the_statement_has_ended():
    async def body(engine, user, changer):
        await user.run("SELECT * FROM t")
        await changer.run("DROP TABLE t")
        assert engine.metadata_locks._names == {}

    served(body)


@pytest.mark.parametrize("sql", ["SELECT nope FROM t", "INSERT INTO t (nope) VALUES (1)"])
def test_a_statement_that_makes_no_sense_does_not_keep_its_tables(sql):
    async def body(engine, user, changer):
        with pytest.raises(DatabaseError, match="Unknown column 'nope'"):
            await user.run(sql)
        async with asyncio.timeout(1):
            await changer.run("DROP TABLE t")

    served(body)


def test_a_session_that_goes_while_it_gets_a_table_leaves_the_table_free():
    async def body(engine, user, changer):
        await user.run("BEGIN; SELECT * FROM t")
        dropping = await settled(changer.run("DROP TABLE t"))
        await user.run("COMMIT")
        dropping.cancel()
        await asyncio.wait([dropping])
        changer.close()
        async with asyncio.timeout(1):
            await user.run("SELECT * FROM t")

    served(body)


def test_a_cycle_of_tables_in_use_is_a_deadlock_to_who_closes_it():
    async def body(engine, user, changer):
        await user.run("BEGIN; SELECT * FROM u")
        dropping = await settled(changer.run("DROP TABLE t, u"))
        try:
            with pytest.raises(DatabaseError) as caught:
                await user.run("SELECT * FROM t")
            assert caught.value.errno == 1213
        finally:
            user.close()
            await dropping

    served(body)
