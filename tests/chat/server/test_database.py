"""A node's transactions and creations: each try has a connection of its own; refusals are counted, and tried again."""

import asyncio
import functools
from collections import Counter
from contextlib import asynccontextmanager

import numpy as np
import pytest

from chatsim.chat.creation import creation_strategy
from chatsim.chat.ports import LocksTimeoutError
from chatsim.chat.protocol import ErrorCode
from chatsim.chat.retry import Retry
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.database import NodeDatabase
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.stats import Stats
from chatsim.chat.server.store.texts import TEXTS
from chatsim.chat.strategies import StrategyError
from chatsim.db.errors import DatabaseError, Kind
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.simulation.loop import run

ANN, BOB = 1, 2
AT_ONCE = Retry("at once", 10)
NEVER = Retry("never", 0)
EVERY_SECOND = Retry("every second", 10, (1.0, 1.0))


def in_virtual_time(test):
    @functools.wraps(test)
    def play(*args, **kwargs):
        run(test(*args, **kwargs))

    return play


class Connection:
    """A session whose commits are answered as the pool is told."""

    def __init__(self, pool, number):
        self.in_transaction = False
        self._pool = pool
        self._number = number

    async def begin(self):
        self._pool.note(f"begin {self._number}")
        self.in_transaction = True

    async def commit(self):
        self._pool.note(f"commit {self._number}")
        self._pool.answer()
        self.in_transaction = False

    async def rollback(self):
        self._pool.note(f"rollback {self._number}")
        self.in_transaction = False


class Pool:
    """A database that answers commits, one after the other, with what it is told: an error, its number, or None.

    Attributes:
        log: what happened, and when.
        levels: the isolation levels that were asked for.
        leased: how many connections are out.
    """

    def __init__(self, *answers):
        self.log = []
        self.levels = []
        self.leased = 0
        self._answers = list(answers)

    @property
    def happened(self):
        return [what for what, _ in self.log]

    def note(self, what):
        self.log.append((what, asyncio.get_running_loop().time()))

    def answer(self):
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, int):
            raise database_error(answer, "as told")
        if answer is not None:
            raise answer

    @asynccontextmanager
    async def session(self, isolation=None):
        self.levels.append(isolation)
        number = len(self.levels)
        self.note(f"lease {number}")
        self.leased += 1
        try:
            yield Connection(self, number)
        finally:
            self.leased -= 1
            self.note(f"return {number}")


class NoConnections(Pool):
    """A database that can't be reached until it has answered all it was told."""

    @asynccontextmanager
    async def session(self, isolation=None):
        self.answer()
        async with super().session(isolation) as connection:
            yield connection


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def mine(tx, low, high):
    await tx.begin()
    await tx.commit()
    return 100 * low + high


def database(
    pool, *, strategy=mine, retry=AT_ONCE, isolation=Isolation.REPEATABLE_READ, locks=None, stats=None, user_leases=2
):
    config = NodeConfig(
        strategy=strategy,
        retry=retry,
        isolation=isolation,
        texts=TEXTS["source"],
        limits=Limits(user_leases=user_leases),
        rng=np.random.default_rng(1),
    )
    return NodeDatabase(pool, locks, config, stats if stats is not None else Stats())


async def created(pool, **options):
    return await database(pool, **options).create(2, 1)


# --- transactions


async def ends(tx):
    await tx.begin()
    await tx.commit()
    return "done"


async def leaves_open(tx):
    await tx.begin()
    return "done"


@in_virtual_time
async def test_a_lease_is_at_the_level_of_the_node_and_not_at_that_of_its_strategy():
    pool = Pool()
    async with database(pool, isolation=Isolation.SERIALIZABLE).lease(ANN):
        assert pool.leased == 1
    assert pool.levels == [Isolation.SERIALIZABLE]


@in_virtual_time
async def test_a_transaction_is_at_the_level_of_the_node_and_returns_what_its_work_returns():
    pool, stats = Pool(), Stats()
    assert await database(pool, isolation=Isolation.SERIALIZABLE, stats=stats).transact(ANN, ends) == "done"
    assert pool.happened == ["lease 1", "begin 1", "commit 1", "return 1"]
    assert pool.levels == [Isolation.SERIALIZABLE]
    assert stats == Stats()


@in_virtual_time
async def test_a_transaction_that_was_left_open_is_rolled_back_before_its_connection_goes_back():
    pool = Pool()
    assert await database(pool).transact(ANN, leaves_open) == "done"
    assert pool.happened == ["lease 1", "begin 1", "rollback 1", "return 1"]


@in_virtual_time
async def test_a_refused_transaction_is_tried_again_on_another_connection_after_the_pause_and_counted():
    pool, stats = Pool(1213, 1205), Stats()
    assert await database(pool, retry=EVERY_SECOND, stats=stats).transact(ANN, ends) == "done"
    assert pool.log == [
        *((what, 0) for what in ("lease 1", "begin 1", "commit 1", "rollback 1", "return 1")),
        *((what, 1) for what in ("lease 2", "begin 2", "commit 2", "rollback 2", "return 2")),
        *((what, 2) for what in ("lease 3", "begin 3", "commit 3", "return 3")),
    ]
    assert stats.refusals == Counter({Kind.DEADLOCK: 1, Kind.LOCK_TIMEOUT: 1})
    assert stats.retries == 0, "these are of creations"


@in_virtual_time
async def test_a_transaction_that_refuses_by_itself_is_rolled_back_and_not_tried_again():
    async def refuses(tx):
        await tx.begin()
        raise RefusalError(ErrorCode.NOT_FRIENDS, "no")

    pool, stats = Pool(), Stats()
    with pytest.raises(RefusalError):
        await database(pool, stats=stats).transact(ANN, refuses)
    assert pool.happened == ["lease 1", "begin 1", "rollback 1", "return 1"]
    assert stats == Stats()


# --- turns


async def uses(node, uid, leased, until, isolation=None):
    async with node.lease(uid, isolation):
        leased.append(uid)
        await until.wait()


@in_virtual_time
async def test_a_user_has_no_more_leases_at_once_than_the_limit_and_the_others_go_ahead():
    pool, leased, until = Pool(), [], asyncio.Event()
    node = database(pool, user_leases=2)
    using = [asyncio.create_task(uses(node, uid, leased, until)) for uid in [ANN] * 48 + [BOB]]
    await asyncio.sleep(1)
    assert leased == [ANN, ANN, BOB]
    until.set()
    await asyncio.gather(*using)
    assert leased == [ANN, ANN, BOB] + [ANN] * 46
    assert pool.leased == 0


@in_virtual_time
async def test_a_creation_takes_a_turn_of_the_user_who_asks_for_it_only_while_it_has_a_connection():
    pool, leased, until = Pool(1213), [], asyncio.Event()
    node = database(pool, user_leases=1, retry=EVERY_SECOND)
    creating = asyncio.create_task(node.create(ANN, BOB))
    await asyncio.sleep(0.5)  # it has been refused, and pauses
    using = asyncio.create_task(uses(node, ANN, leased, until))
    await asyncio.sleep(5)
    assert leased == [ANN]
    assert not creating.done()
    until.set()
    await using
    assert await creating == 100 * ANN + BOB


# --- creations


@in_virtual_time
async def test_a_creation_that_is_not_refused_is_one_try_on_one_connection_at_the_strategys_level():
    pool, stats = Pool(), Stats()
    assert await created(pool, stats=stats) == 102
    assert pool.happened == ["lease 1", "begin 1", "commit 1", "return 1"]
    assert pool.levels == [Isolation.READ_COMMITTED]
    assert stats == Stats()


@in_virtual_time
async def test_each_try_leases_a_connection_and_gives_it_back_before_the_pause():
    pool = Pool(1213, 1205)
    assert await created(pool, retry=EVERY_SECOND) == 102
    assert pool.log == [
        *((what, 0) for what in ("lease 1", "begin 1", "commit 1", "rollback 1", "return 1")),
        *((what, 1) for what in ("lease 2", "begin 2", "commit 2", "rollback 2", "return 2")),
        *((what, 2) for what in ("lease 3", "begin 3", "commit 3", "return 3")),
    ]
    assert pool.levels == [Isolation.READ_COMMITTED] * 3


@in_virtual_time
async def test_a_connection_that_was_lost_is_given_back_as_it_is():
    pool = Pool(2013)
    assert await created(pool) == 102
    assert pool.happened == [
        *("lease 1", "begin 1", "commit 1", "return 1"),
        *("lease 2", "begin 2", "commit 2", "return 2"),
    ]


@in_virtual_time
async def test_refusals_are_counted_by_kind_and_tries_after_the_first_as_retries():
    stats = Stats()
    await created(Pool(1213, 1062, 1205, 1213), stats=stats)
    assert (stats.retries, stats.refusals) == (
        4,
        Counter({Kind.DEADLOCK: 2, Kind.DUPLICATE_KEY: 1, Kind.LOCK_TIMEOUT: 1}),
    )
    await created(Pool(), stats=stats)
    await created(Pool(1213), stats=stats)
    assert (stats.retries, stats.refusals) == (
        5,
        Counter({Kind.DEADLOCK: 3, Kind.DUPLICATE_KEY: 1, Kind.LOCK_TIMEOUT: 1}),
    )


@pytest.mark.parametrize("retries", [0, 1, 3])
@in_virtual_time
async def test_when_the_tries_are_used_up_the_last_refusal_is_raised_and_all_are_counted(retries):
    pool, stats = Pool(*[1205] * retries, 1213, 1062), Stats()
    with pytest.raises(DatabaseError) as refused:
        await created(pool, retry=Retry("a few", retries), stats=stats)
    assert refused.value.errno == 1213
    assert len(pool.levels) == retries + 1
    assert (stats.retries, stats.refusals.total()) == (retries, retries + 1)
    assert pool.leased == 0


@in_virtual_time
async def test_what_another_try_can_not_mend_is_not_tried_again():
    pool, stats = Pool(1213, 1452), Stats()
    with pytest.raises(DatabaseError, match="1452"):
        await created(pool, stats=stats)
    assert (stats.retries, stats.refusals) == (1, Counter({Kind.DEADLOCK: 1, Kind.OTHER: 1}))


@in_virtual_time
async def test_a_wrong_statement_is_no_refusal_its_strategy_is_broken():
    pool, stats = Pool(1064), Stats()
    with pytest.raises(StrategyError, match=r"^strategy '.*' has a wrong statement, error 1064: "):
        await created(pool, stats=stats)
    assert stats == Stats()
    assert pool.leased == 0


@in_virtual_time
async def test_a_connection_that_can_not_be_had_is_a_refused_try():
    pool, stats = NoConnections(2013, 2006), Stats()
    assert await created(pool, retry=EVERY_SECOND, stats=stats) == 102
    assert pool.log[0] == ("lease 1", 2)
    assert (stats.retries, stats.refusals) == (2, Counter({Kind.CONNECTION_LOST: 2}))


@in_virtual_time
async def test_locks_are_handed_to_the_strategy_that_uses_them():
    @creation_strategy(locks=True)
    async def locked(tx, low, high, locks):
        return len(locks)

    assert await created(Pool(), strategy=locked, locks="the locks") == 9


@in_virtual_time
async def test_a_lock_that_can_not_be_had_is_raised_at_once_and_is_no_refusal_of_the_database():
    pool, stats = Pool(1213, LocksTimeoutError("chat:1:2", 5)), Stats()
    with pytest.raises(LocksTimeoutError):
        await created(pool, stats=stats)
    assert (stats.retries, stats.refusals) == (1, Counter({Kind.DEADLOCK: 1}))
    assert pool.happened[-2:] == ["rollback 2", "return 2"]


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


@pytest.mark.parametrize("strategy", [raises, forgets, nothing], ids=lambda strategy: strategy.name)
@in_virtual_time
async def test_a_broken_strategy_is_named_and_not_tried_again_and_its_connection_is_clean(strategy):
    pool, stats = Pool(), Stats()
    with pytest.raises(StrategyError, match=f"^strategy '{strategy.name}' "):
        await created(pool, strategy=strategy, stats=stats)
    assert stats == Stats()
    assert pool.leased == 0
    assert pool.happened[-2:] == ["commit 1" if strategy is nothing else "rollback 1", "return 1"]


@in_virtual_time
async def test_a_creation_that_is_cancelled_gives_its_connection_back_and_counts_what_it_did():
    @creation_strategy()
    async def waits(tx, low, high):
        await tx.begin()
        await tx.commit()
        await asyncio.Event().wait()

    pool, stats = Pool(1213), Stats()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await created(pool, strategy=waits, stats=stats)
    assert pool.leased == 0
    assert (stats.retries, stats.refusals) == (1, Counter({Kind.DEADLOCK: 1}))


@in_virtual_time
async def test_creations_beside_each_other_keep_their_connections_and_their_counts_apart():
    pool, stats = Pool(1213, 1213, 1213), Stats()
    node = database(pool, retry=NEVER, stats=stats)
    outcomes = await asyncio.gather(*(node.create(1, other) for other in range(2, 8)), return_exceptions=True)
    assert [thread for thread in outcomes if isinstance(thread, int)] == [105, 106, 107]
    assert (stats.retries, stats.refusals) == (0, Counter({Kind.DEADLOCK: 3}))


def test_the_stats_of_several_nodes_add_up_and_name_the_first_crash():
    crash = KeyError("who")
    parts = [
        Stats(Counter({1023: 1}), 1, Counter({1213: 1})),
        Stats(Counter({1023: 2, 1027: 1}), 2, Counter({1062: 1}), crash),
        Stats(crash=KeyError("again")),
    ]
    assert Stats.sum(parts) == Stats(Counter({1023: 3, 1027: 1}), 3, Counter({1213: 1, 1062: 1}), crash)
    assert Stats.sum([]) == Stats()
