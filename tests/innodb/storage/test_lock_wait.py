"""Waits for locks: how they end, which transaction is granted a lock first, which one is the victim of a deadlock."""

import asyncio

import pytest
from locked_index import INSERT, NEXT_KEY, RECORD, LockedIndex

from chatsim.db.errors import DeadlockError
from chatsim.db.session import Isolation
from chatsim.innodb.storage.structures import Transaction
from chatsim.simulation.loop import run


@pytest.fixture
def stage():
    return LockedIndex()


def transaction():
    return Transaction(1, Isolation.REPEATABLE_READ)


# --- a transaction that waits


def test_who_was_let_go_before_it_slept_does_not_sleep():
    async def main():
        trx = transaction()
        await trx.locks.wait(object(), 9)
        assert trx.locks.wait_event is None

    run(main())


def test_who_was_doomed_before_it_slept_is_told_once():
    async def main():
        trx = transaction()
        trx.locks.wait_error = DeadlockError(1213, "Deadlock found")
        with pytest.raises(DeadlockError):
            await trx.locks.wait(object(), 9)
        await trx.locks.wait(object(), 9)

    run(main())


def test_who_sleeps_can_be_cancelled_and_nothing_is_left_to_wake():
    async def main():
        trx = transaction()
        trx.locks.wait_lock = lock = object()
        sleeper = asyncio.create_task(trx.locks.wait(lock, 9))
        await asyncio.sleep(1)
        sleeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sleeper
        assert trx.locks.wait_event is None

    run(main())


def test_a_victim_that_sleeps_wakes_to_the_error_and_one_that_is_granted_its_lock_without_one():
    async def main():
        stage = LockedIndex()
        victim, other = stage.trx(), stage.trx(weight=5)
        for key, trx in ((10, victim), (20, other)):
            stage.ask(trx, key, "X", RECORD)
        stage.ask(victim, 20, "X", RECORD)
        asleep = asyncio.create_task(victim.locks.wait(victim.locks.wait_lock, 9))
        await asyncio.sleep(1)
        stage.ask(other, 10, "X", RECORD)
        waits = asyncio.create_task(other.locks.wait(other.locks.wait_lock, 9))
        with pytest.raises(DeadlockError):
            await asleep
        stage.locks.release_all(victim)
        assert await waits
        assert (victim.locks.wait_error, other.locks.wait_error) == (None, None)

    run(main())


def test_a_wait_that_takes_too_long_says_so():
    async def main():
        stage = LockedIndex()
        holder, waiter = stage.trx(), stage.trx()
        stage.ask(holder, 10, "X", RECORD)
        stage.ask(waiter, 10, "X", RECORD)
        assert not await waiter.locks.wait(waiter.locks.wait_lock, 3)
        assert asyncio.get_running_loop().time() == 3

    run(main())


# --- transaction scheduling


def test_a_waiter_with_more_behind_it_overtakes_an_older_one(stage):
    holder, older, weighty, behind = (stage.trx() for _ in range(4))
    stage.ask(weighty, 10, "X", RECORD)
    stage.ask(holder, 20, "X", RECORD)
    stage.ask(older, 20, "X", RECORD)
    stage.ask(weighty, 20, "X", RECORD)
    stage.ask(behind, 10, "X", RECORD)
    stage.locks.release_all(holder)
    assert weighty.locks.wait_lock is None
    assert older.locks.blocking_trx is weighty


def test_the_weights_of_a_chain_of_waits_add_up(stage):
    first, second, third, holder = (stage.trx() for _ in range(4))
    stage.ask(holder, None, "X", NEXT_KEY)
    for key, trx in ((10, first), (20, second)):
        stage.ask(trx, key, "X", RECORD)
    stage.ask(third, 20, "X", RECORD)
    stage.ask(second, 10, "X", RECORD)
    stage.ask(first, None, "X", INSERT)
    assert stage.locks.waits.schedule_weights() == {third: 1, second: 2, first: 3}


@pytest.mark.parametrize(("later", "first"), [(4, "weighty"), (5, "starved")])
def test_a_waiter_after_which_many_began_to_wait_counts_for_as_many_as_wait(stage, later, first):
    holder, weighty, starved, behind, other = (stage.trx() for _ in range(5))
    stage.ask(weighty, 10, "X", RECORD)
    stage.ask(holder, 20, "X", RECORD)
    stage.ask(holder, 30, "X", RECORD)
    stage.ask(starved, 20, "X", RECORD)
    stage.ask(weighty, 20, "X", RECORD)
    stage.ask(behind, 10, "X", RECORD)
    for _ in range(later):  # more than twice as many as wait, with the two above
        stage.ask(other, 30, "X", RECORD)
        stage.locks.cancel(other.locks.wait_lock)
    stage.locks.release_all(holder)
    granted = {"weighty": weighty, "starved": starved}.pop(first)
    assert granted.locks.wait_lock is None
    assert {weighty, starved} - {granted} == {each for each in (weighty, starved) if each.locks.wait_lock}


def test_the_weight_of_one_that_has_waited_for_long_counts_for_the_one_that_it_waits_for(stage):
    holder, patient, popular, starved, *fans, other = (stage.trx() for _ in range(7))
    stage.ask(holder, 20, "X", RECORD)
    stage.ask(holder, None, "X", NEXT_KEY)
    stage.ask(patient, 10, "X", RECORD)
    stage.ask(popular, 30, "X", RECORD)
    stage.ask(starved, 10, "X", RECORD)
    stage.ask(popular, 20, "X", RECORD)
    stage.ask(patient, 20, "X", RECORD)
    for fan in fans:
        stage.ask(fan, 30, "X", RECORD)
    for _ in range(7):
        stage.ask(other, None, "X", INSERT)
        stage.locks.cancel(other.locks.wait_lock)
    assert stage.locks.waits.schedule_weights() == {starved: 5, patient: 6, popular: 3, **dict.fromkeys(fans, 1)}
    stage.locks.release_all(holder)
    assert (patient.locks.wait_lock, popular.locks.blocking_trx) == (None, patient)


# --- deadlocks


@pytest.mark.parametrize(
    ("weights", "dies"),
    [
        ((0, 0), 1),  # who closes the cycle, when all weigh the same
        ((0, 1), 0),
        ((1, 0), 1),
        ((0, 0, 0), 2),
        ((0, 0, 5), 1),  # the closer is heavier: the last of the others, from the one that it waits for
        ((5, 0, 5), 1),
        ((0, 5, 5), 0),
        ((0, 5, 5, 0), 3),
        ((0, 5, 0, 5), 2),
    ],
)
def test_the_lightest_dies_and_of_several_the_last_before_the_one_who_closed_the_cycle(weights, dies):
    stage = LockedIndex(*range(len(weights)))
    ring = [stage.trx(weight) for weight in weights]
    for at, trx in enumerate(ring):
        stage.ask(trx, at, "X", RECORD)
    for at, trx in enumerate(ring):
        assert not stage.deadlocks
        assert not stage.ask(trx, (at + 1) % len(ring), "X", RECORD)
    ((cycle, victim),) = stage.deadlocks
    assert cycle == ring
    assert victim is ring[dies]
    assert isinstance(victim.locks.wait_error, DeadlockError)
    assert victim.locks.wait_lock is None
    assert all(each.locks.wait_lock for each in ring if each is not victim)
    assert (stage.locks.waits.deadlocks, stage.locks.waits.started) == (1, len(ring))
    stage.locks.release_all(victim)
    assert ring[dies - 1].locks.wait_lock is None


def test_one_request_may_close_several_cycles_one_after_the_other(stage):
    holder, *waiters = stage.trx(weight=9), stage.trx(), stage.trx()
    stage.ask(holder, 10, "X", RECORD)
    for trx in waiters:
        stage.ask(trx, 20, "S", RECORD)
        stage.ask(trx, 10, "X", RECORD)
    assert not stage.ask(holder, 20, "X", RECORD)
    for trx in waiters:
        if trx.locks.wait_error is not None:
            stage.locks.release_all(trx)
    assert {victim for _, victim in stage.deadlocks} == set(waiters)
    for trx in waiters:
        stage.locks.release_all(trx)
    assert holder.locks.wait_lock is None


@pytest.mark.parametrize("release", ["unlock", "release_all"])
def test_a_cycle_is_closed_when_a_waiter_has_to_wait_for_another_holder(stage, release):
    holder, other, waiter = (stage.trx() for _ in range(3))
    stage.ask(waiter, 20, "X", RECORD)
    stage.ask(holder, 10, "S", RECORD)
    stage.ask(other, 10, "S", RECORD)
    stage.ask(waiter, 10, "X", RECORD)
    stage.ask(holder, 20, "X", RECORD)
    assert waiter.locks.blocking_trx is other
    assert not stage.deadlocks
    if release == "unlock":
        stage.locks.unlock(other, stage[10], "S")
    else:
        stage.locks.release_all(other)
    ((cycle, _),) = stage.deadlocks
    assert set(cycle) == {holder, waiter}


def test_a_cycle_through_an_auto_inc_lock_that_went_to_the_next_is_detected(stage):
    first, second, third = (stage.trx() for _ in range(3))
    stage.ask(third, 10, "X", RECORD)
    for trx in (first, second, third):
        stage.locks.lock_table(trx, stage.table.locks, "AUTO_INC")
    stage.locks.release_auto_inc(first, stage.table.locks)
    assert not stage.deadlocks
    stage.ask(second, 10, "X", RECORD)
    ((cycle, _),) = stage.deadlocks
    assert set(cycle) == {second, third}
