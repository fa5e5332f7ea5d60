"""A caller keeps one connection, leaves no transaction behind, and records what came of each operation."""

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest

from chatsim.chat.creation import creation_strategy
from chatsim.chat.ports import LocksTimeoutError
from chatsim.chat.retry import POLICIES, Retry
from chatsim.chat.strategies import StrategyError
from chatsim.db.errors import Kind
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.experiments.creation.callers import StoreCaller
from chatsim.experiments.history import Outcome


class Connection:
    """A session that answers as it is told and keeps a log."""

    def __init__(self, number, log, answers):
        self.number = number
        self.in_transaction = False
        self._log = log
        self._answers = answers

    async def begin(self):
        self._note("begin")
        self.in_transaction = True

    async def commit(self):
        self._note("commit")
        self._answer()
        self.in_transaction = False

    async def rollback(self):
        self._note("rollback")
        if self._answers and self._answers[0] == "rollback is lost":
            self._answers.pop(0)
            raise database_error(2013, "gone")
        self.in_transaction = False

    def _note(self, what):
        self._log.append(f"{what} {self.number}")

    def _answer(self):
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, int):
            raise database_error(answer, "as told")
        if isinstance(answer, Exception):
            raise answer


class Pool:
    """A database whose connections answer a commit, one after the other, with what is told."""

    def __init__(self, *answers):
        self.log = []
        self.levels = []
        self._answers = list(answers)
        self._leased = 0

    @asynccontextmanager
    async def session(self, isolation=None):
        self._leased += 1
        number = self._leased
        self.levels.append(isolation)
        self.log.append(f"lease {number}")
        try:
            yield Connection(number, self.log, self._answers)
        finally:
            self.log.append(f"return {number}")


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def mine(tx, low, high):
    await tx.begin()
    await tx.commit()
    return 100 * low + high


AT_ONCE = POLICIES["immediate"]
NONE = POLICIES["none"]


def caller(pool, *, strategy=mine, retry=AT_ONCE, locks=None):
    return StoreCaller(3, database=pool, strategy=strategy, locks=locks, retry=retry, rng=np.random.default_rng(1))


async def asked(pool, **options):
    """What one operation of a caller gave."""
    async with caller(pool, **options) as one:
        return await one.create(2, 1, turn=5, begun=0.0)


async def test_the_connection_is_leased_before_the_first_operation_and_kept_to_the_end():
    pool = Pool()
    async with caller(pool) as one:
        assert pool.log == ["lease 1"]
        for turn in range(3):
            await one.create(1, 2, turn=turn, begun=0.0)
    assert pool.log == ["lease 1", *["begin 1", "commit 1"] * 3, "return 1"]


async def test_it_is_leased_at_the_strategys_isolation_level():
    pool = Pool(2013)
    await asked(pool)
    assert pool.levels == [Isolation.READ_COMMITTED] * 2


async def test_an_operation_that_succeeds_is_recorded_with_its_thread():
    got = await asked(Pool())
    assert (got.client, got.round, got.kind, got.asked) == (3, 5, "create", {"uid": 2, "other": 1})
    assert (got.outcome, got.value, got.attempts, got.refusals) == (Outcome.OK, {"thread": 102}, 1, ())


async def test_times_count_from_the_beginning_of_the_run():
    now = asyncio.get_running_loop().time()
    async with caller(Pool()) as one:
        due = await one.create(1, 2, turn=0, begun=now - 10.0, intended=now - 4.0)
        at_once = await one.create(1, 2, turn=0, begun=now)
    assert due.intended == pytest.approx(6.0)
    assert 10.0 <= due.start <= due.end
    assert 0.0 <= at_once.intended == at_once.start <= at_once.end


@pytest.mark.parametrize(
    ("errno", "kind"), [(1213, Kind.DEADLOCK), (1205, Kind.LOCK_TIMEOUT), (1062, Kind.DUPLICATE_KEY)]
)
async def test_after_a_refusal_the_transaction_is_rolled_back_and_the_connection_kept(errno, kind):
    pool = Pool(errno)
    got = await asked(pool)
    assert pool.log == ["lease 1", "begin 1", "commit 1", "rollback 1", "begin 1", "commit 1", "return 1"]
    assert (got.outcome, got.value, got.attempts, got.refusals) == (Outcome.OK, {"thread": 102}, 2, (kind,))


async def test_without_a_transaction_nothing_is_rolled_back():
    @creation_strategy()
    async def refused(tx, low, high):
        raise database_error(1062, "again")

    pool = Pool()
    got = await asked(pool, strategy=refused, retry=NONE)
    assert pool.log == ["lease 1", "return 1"]
    assert (got.outcome, got.value, got.attempts, got.refusals) == (Outcome.FAIL, {}, 1, (Kind.DUPLICATE_KEY,))


async def test_a_lost_connection_is_given_back_and_the_next_try_leases_another():
    pool = Pool(2013, 2006)
    got = await asked(pool)
    assert pool.log == [
        *("lease 1", "begin 1", "commit 1", "return 1"),
        *("lease 2", "begin 2", "commit 2", "return 2"),
        *("lease 3", "begin 3", "commit 3", "return 3"),
    ]
    assert (got.outcome, got.attempts, got.refusals) == (Outcome.OK, 3, (Kind.CONNECTION_LOST,) * 2)


async def test_a_connection_that_is_lost_while_rolling_back_is_given_back_too():
    pool = Pool(1213, "rollback is lost")
    got = await asked(pool)
    assert pool.log == [
        *("lease 1", "begin 1", "commit 1", "rollback 1", "return 1"),
        *("lease 2", "begin 2", "commit 2", "return 2"),
    ]
    assert (got.outcome, got.refusals) == (Outcome.OK, (Kind.DEADLOCK,))


async def test_the_operation_after_a_lost_one_leases_another():
    pool = Pool(2013)
    async with caller(pool, retry=NONE) as one:
        outcomes = [(await one.create(1, 2, turn=turn, begun=0.0)).outcome for turn in range(2)]
    assert outcomes == [Outcome.UNKNOWN, Outcome.OK]
    assert pool.log.count("return 1") == pool.log.count("return 2") == 1


async def test_a_connection_that_cannot_be_leased_again_is_an_unknown_outcome():
    class Closing(Pool):
        def session(self, isolation=None):
            if self._leased:
                raise database_error(2013, "nobody answers")
            return super().session(isolation)

    got = await asked(Closing(2013), retry=Retry("twice", 2))
    assert (got.outcome, got.value, got.attempts) == (Outcome.UNKNOWN, {}, 3)
    assert got.refusals == (Kind.CONNECTION_LOST,) * 3


async def test_an_outcome_stays_unknown_whatever_the_tries_after_the_lost_one_met():
    got = await asked(Pool(2013, 1452))
    assert (got.outcome, got.attempts, got.refusals) == (Outcome.UNKNOWN, 2, (Kind.CONNECTION_LOST, Kind.OTHER))


async def test_every_try_is_counted_by_its_cause():
    got = await asked(Pool(1213, 1062, 1205, 1213))
    assert (got.outcome, got.attempts) == (Outcome.OK, 5)
    assert got.refusals == (Kind.DEADLOCK, Kind.DUPLICATE_KEY, Kind.LOCK_TIMEOUT, Kind.DEADLOCK)


@pytest.mark.parametrize("before", [(), (1213,)])
async def test_a_lock_that_cannot_be_had_is_a_failed_try_without_an_error_number(before):
    pool = Pool(*before, LocksTimeoutError("chat:1:2", 5))
    got = await asked(pool)
    assert (got.outcome, got.attempts, got.refusals) == (Outcome.FAIL, len(before) + 1, (Kind.DEADLOCK,) * len(before))
    assert "chat:1:2" in got.reason
    assert pool.log[-2:] == ["rollback 1", "return 1"]


async def test_locks_are_handed_to_a_strategy_that_uses_them():
    seen = []

    @creation_strategy(locks=True)
    async def locked(tx, low, high, locks):
        seen.append(locks)
        return 1

    await asked(Pool(), strategy=locked, locks="the locks")
    assert seen == ["the locks"]


# --- broken strategies


@creation_strategy()
async def raises(tx, low, high):
    await tx.begin()
    raise KeyError("who")


@creation_strategy()
async def forgets(tx, low, high):
    await tx.begin()
    return 1


@creation_strategy()
async def nothing(tx, low, high):
    await tx.begin()
    await tx.commit()


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        (
            raises,
            r"strategy 'raises' raised KeyError: 'who' \(.*test_callers\.py, line \d+: raise KeyError\(\"who\"\)\)",
        ),
        (forgets, r"strategy 'forgets' returned with its transaction open: it forgot to commit or to roll back"),
        (nothing, r"strategy 'nothing' returned None, which is no thread id"),
    ],
)
async def test_a_broken_strategy_is_named_and_its_transaction_rolled_back(strategy, sentence):
    pool = Pool()
    with pytest.raises(StrategyError, match=f"^{sentence}$"):
        await asked(pool, strategy=strategy)
    assert pool.log[-1] == "return 1"
    assert ("rollback 1" in pool.log) == (strategy is not nothing)


async def test_a_caller_that_is_cancelled_gives_its_connection_back():
    reached = asyncio.Event()

    @creation_strategy()
    async def waits(tx, low, high):
        reached.set()
        await asyncio.Event().wait()

    pool = Pool()
    task = asyncio.ensure_future(asked(pool, strategy=waits))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.log == ["lease 1", "return 1"]
