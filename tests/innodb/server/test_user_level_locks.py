"""User-level locks: GET_LOCK, RELEASE_LOCK and the others (MySQL manual, "Locking Functions")."""

import asyncio

import pytest
from waiting_sessions import now, served, settled, value

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.user_level_locks import UserLevelLocks
from chatsim.simulation.loop import run


def there(body):
    """Run a test with locks that nobody holds before or after it, in virtual time."""

    async def main():
        locks = UserLevelLocks()
        await body(locks)
        for owner in range(10):
            locks.release_all(owner)
        assert (locks._locks._locks, dict(locks._counts), locks.waits()) == ({}, {}, {})

    run(main())


# --- taken and released


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


def test_all_locks_of_a_session_are_released_however_often_they_were_taken():
    async def body(locks):
        for name in "aab":
            await locks.acquire(name, 1)
        assert locks.release_all(1) == 3
        assert locks.release_all(1) == 0
        assert locks.holder("a") is None

    there(body)


def test_a_lock_that_could_not_be_had_is_not_held():
    async def body(locks):
        await locks.acquire("a", 1)
        assert not await locks.acquire("a", 2, seconds=3)
        assert now() == 3
        assert not locks.release("a", 2)
        assert locks.release_all(2) == 0
        assert locks.holder("a") == 1

    there(body)


def test_a_session_that_is_cancelled_just_when_it_gets_the_lock_does_not_hold_it():
    async def body(locks):
        await locks.acquire("a", 1)
        waiting = await settled(locks.acquire("a", 2))
        locks.release("a", 1)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert locks.holder("a") is None
        assert locks.release_all(2) == 0

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
