"""Metadata locks: shared or exclusive, a queue, cycles of waits; they keep a table as it is while it is used."""

import asyncio

import pytest
from waiting_sessions import now, served, settled, value

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.metadata_locks import LockCycleError, MetadataLocks
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run


def release_all(locks, owner):
    for name in list(locks._locks):
        locks.release(name, owner)


def there(body):
    """Run a test with locks that nobody holds before or after it, in virtual time."""

    async def main():
        locks = MetadataLocks()
        await body(locks)
        for owner in range(10):
            release_all(locks, owner)
        assert (locks._locks, locks.waits()) == ({}, {})

    run(main())


# --- one holder, a queue


def test_a_holder_may_take_the_lock_again_and_releases_it_at_once():
    async def body(locks):
        assert await locks.acquire("a", 1)
        assert await locks.acquire("a", 1)
        assert not await locks.acquire("a", 2, seconds=0)
        assert locks.release("a", 1)
        assert locks.holder("a") is None
        assert not locks.release("a", 1)

    there(body)


def test_only_its_holder_lets_go_of_a_lock():
    async def body(locks):
        await locks.acquire("a", 1)
        assert not locks.release("a", 2)
        assert not locks.release("b", 1)
        assert locks.holder("a") == 1

    there(body)


def test_who_has_been_granted_a_lock_and_has_not_gone_on_yet_waits_for_nobody():
    async def body(locks):
        await locks.acquire("a", 1)
        second, third = (asyncio.create_task(locks.acquire("a", owner)) for owner in (2, 3))
        await asyncio.sleep(0)
        locks.release("a", 1)
        assert locks.waits() == {3: ("a", [2])}
        assert not await locks.acquire("a", 4, seconds=0.001)  # it looks for a cycle
        assert await second
        locks.release("a", 2)
        assert await third

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
        await locks.acquire("a", 1, mode="read")
        alone = await settled(locks.acquire("a", 2))
        sharing = [await settled(locks.acquire("a", owner, mode="read")) for owner in (3, 4)]
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
            assert await locks.acquire("a", owner, mode="read")
        assert not await locks.acquire("a", 4, seconds=0)
        assert not await locks.acquire("a", 1, seconds=0)
        locks.release("a", 2)
        locks.release("a", 3)
        assert await locks.acquire("a", 1, seconds=0)
        assert not await locks.acquire("a", 2, mode="read", seconds=0)

    there(body)


def test_who_would_share_waits_behind_who_wants_it_alone_unless_it_shares_already():
    async def body(locks):
        await locks.acquire("a", 1, mode="read")
        alone = await settled(locks.acquire("a", 2))
        assert not await locks.acquire("a", 3, mode="read", seconds=1)
        assert await locks.acquire("a", 1, mode="read")
        locks.release("a", 1)
        assert await alone

    there(body)


def test_what_one_has_alone_one_may_also_share():
    async def body(locks):
        await locks.acquire("a", 1)
        assert await locks.acquire("a", 1, mode="read")
        assert not await locks.acquire("a", 2, mode="read", seconds=0)

    there(body)


# --- cycles


@pytest.mark.parametrize("length", [2, 3, 7])
def test_who_would_wait_for_himself_is_told_and_nobody_loses_anything(length):
    async def body(locks):
        for owner in range(length):
            await locks.acquire(f"{owner}", owner)
        waiters = [await settled(locks.acquire(f"{owner + 1}", owner)) for owner in range(length - 1)]
        with pytest.raises(LockCycleError):
            await locks.acquire("0", length - 1)
        assert [locks.holder(f"{owner}") for owner in range(length)] == list(range(length))
        assert len(locks.waits()) == length - 1
        for owner in reversed(range(length)):
            release_all(locks, owner)
        assert all([await each for each in waiters])

    there(body)


def test_a_cycle_through_the_queue_is_seen_as_well():
    async def body(locks):
        await locks.acquire("a", 1)
        await locks.acquire("b", 3)
        ahead = await settled(locks.acquire("a", 2))
        behind = await settled(locks.acquire("a", 3))
        with pytest.raises(LockCycleError):
            await locks.acquire("b", 1)
        locks.release("a", 1)
        assert await ahead
        locks.release("a", 2)
        assert await behind

    there(body)


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
        assert engine.metadata_locks._locks == {}

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
