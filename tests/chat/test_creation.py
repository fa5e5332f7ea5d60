"""What each creation strategy promises, on a real MySQL, and what becomes of it when two callers interleave.

An interleaving is written as the order of the callers' turns: in ``"ABBA"`` each letter is one statement of that one.
"""

import asyncio
import re
from contextlib import AsyncExitStack

import pytest

from chatsim.chat.creation import STRATEGIES, CreationStrategy, creation_strategy, named
from chatsim.chat.ports import LocksTimeoutError
from chatsim.chat.strategies import UnknownStrategyError
from chatsim.db.errors import DatabaseError, Kind
from chatsim.db.session import Isolation
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

ALL = [*STRATEGIES]
FROM_EITHER_SIDE = [name for name in ALL if name != "unordered"]
ONE_THREAD_AND_NO_REFUSAL = [
    "one_round_trip",
    "insert_first",
    "insert_ignore",
    "upsert",
    "user_row",
    "get_lock",
    "get_lock_script",
    "look_first",
]
ONE, TWO, OTHERS, MORE = (10, 20), (20, 10), (12, 22), (14, 24)
IN_STEP = "AB" * 10
FIRST_A_THEN_B = "A" * 10 + "B" * 10

WAITS = """
SELECT
  (SELECT COUNT(*) FROM performance_schema.data_lock_waits w
   JOIN performance_schema.threads t ON t.thread_id = w.requesting_thread_id WHERE t.processlist_id = ?)
+ (SELECT COUNT(*) FROM performance_schema.metadata_locks m
   JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
   WHERE t.processlist_id = ? AND m.object_type = 'USER LEVEL LOCK' AND m.lock_status = 'PENDING')
"""


class Stepped:
    """A session that does its next statement only when it is told to."""

    def __init__(self, session, admin):
        self._session = session
        self._admin = admin
        self._turns = asyncio.Semaphore(0)
        self.free = False
        self.asks = asyncio.Event()
        """Set while a statement waits for its turn."""

    @property
    def in_transaction(self):
        return self._session.in_transaction

    def go(self):
        """Let it do one statement, if it is ready for one."""
        if self.asks.is_set():
            self.asks.clear()
            self._turns.release()

    async def waits_for_a_lock(self):
        number = self._session.connection_id
        return (await self._admin.execute(WAITS, (number, number))).scalar() > 0

    async def _turn(self):
        if not self.free:
            self.asks.set()
            await self._turns.acquire()

    async def execute(self, sql, args=()):
        await self._turn()
        return await self._session.execute(sql, args)

    async def script(self, sql, args=()):
        await self._turn()
        return await self._session.script(sql, args)

    async def begin(self, isolation=None):
        await self._turn()
        await self._session.begin(isolation)

    async def commit(self):
        await self._turn()
        await self._session.commit()

    async def rollback(self):
        await self._turn()
        await self._session.rollback()


class Caller:
    """Somebody who asks for one thread, in the statements' own time or step by step."""

    def __init__(self, strategy, session, admin, pair, locks=None):
        self.tx = Stepped(session, admin)
        self.task = asyncio.ensure_future(self._ask(strategy, pair, locks))

    async def _ask(self, strategy, pair, locks):
        """The thread id, or the error number after which it rolled back."""
        try:
            return await strategy(self.tx, *pair, locks)
        except DatabaseError as error:
            await self.tx.rollback()
            return f"error {error.errno}"

    async def settle(self):
        """Wait until it has ended, wants to do its next statement, or waits for a lock."""
        while not (self.task.done() or self.tx.asks.is_set() or await self.tx.waits_for_a_lock()):
            pass

    async def finish(self):
        """What it gets when nobody tells it to wait any more."""
        self.tx.free = True
        self.tx.go()
        return await self.task


async def interleave(world, strategy, order, *pairs):
    """What each caller got when their statements came in this order; what is left over then is done freely."""
    async with world.database(len(pairs)) as database, AsyncExitStack() as leases:
        callers = {}
        for name, pair in zip("ABC", pairs, strict=False):
            session = await leases.enter_async_context(database.session(strategy.isolation))
            callers[name] = Caller(strategy, session, world.admin, pair)
        for name in order:
            for caller in callers.values():
                await caller.settle()
            callers[name].tx.go()
        got = await asyncio.gather(*(caller.finish() for caller in callers.values()))
    assert await open_transactions(world) == 0
    return got


async def open_transactions(world):
    """How many there are in this world's sessions, beside what the server does on its own account."""
    found = await world.admin.execute(
        "SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
        " ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE()"
    )
    return found.scalar()


async def chats(world):
    """The rows of private_chat: who got which thread."""
    rows = await world.admin.execute("SELECT thread_id, user1_id, user2_id FROM private_chat ORDER BY thread_id")
    return [tuple(map(int, row)) for row in rows.rows]


async def orphans(world):
    found = await world.admin.execute(
        "SELECT COUNT(*) FROM chat_thread WHERE id NOT IN (SELECT thread_id FROM private_chat)"
    )
    return found.scalar()


async def have(world, *pairs):
    """Give these pairs their threads, in the order named."""
    async with world.database(1) as database, database.session() as tx:
        return [await STRATEGIES["one_round_trip"](tx, *pair) for pair in pairs]


@pytest.fixture
async def world(mysql_url):
    async with MySQLWorld(Servers(mysql_url=mysql_url)) as world:
        await world.install("source")
        users = sorted({*ONE, *OTHERS, *MORE})
        for uid in users:
            await world.admin.execute("INSERT INTO user (uid, email) VALUES (?, ?)", (uid, f"{uid}@example.org"))
        yield world


@pytest.fixture(autouse=True)
def leaves_no_schema(schemas):
    before = schemas()
    yield
    assert schemas() <= before


@pytest.fixture
async def creates(request, world):
    """A function that asks with the strategy named on a session of its own, as its callers do."""

    async def create(name, uid, other):
        strategy = STRATEGIES[name]
        locks = None
        if strategy.uses_locks:
            world._servers = Servers(redis_url=request.getfixturevalue("redis_url"))
            locks = await world.locks(2)
        async with world.database(1) as database, database.session(strategy.isolation) as tx:
            thread = await strategy(tx, uid, other, locks)
            assert not tx.in_transaction
        return thread

    return create


@pytest.mark.parametrize("name", ALL)
async def test_a_new_pair_gets_a_thread_and_its_two_rows(name, world, creates):
    thread = await creates(name, 10, 20)
    assert await chats(world) == [(thread, 10, 20)]
    rows = await world.admin.execute("SELECT id, type, created_at IS NOT NULL FROM chat_thread")
    assert [tuple(row) for row in rows.rows] == [(thread, "private", 1)]
    assert await open_transactions(world) == 0


@pytest.mark.parametrize("name", FROM_EITHER_SIDE)
async def test_a_known_pair_gets_the_same_thread_from_either_side(name, world, creates):
    first = await creates(name, 20, 10)
    assert await creates(name, 10, 20) == first
    assert await creates(name, 20, 10) == first
    assert await chats(world) == [(first, 10, 20)]
    assert await open_transactions(world) == 0


@pytest.mark.parametrize("name", ALL)
async def test_other_pairs_get_other_threads(name, world, creates):
    threads = [await creates(name, *pair) for pair in (ONE, OTHERS, MORE)]
    assert await chats(world) == [(thread, *pair) for thread, pair in zip(threads, (ONE, OTHERS, MORE), strict=True)]


@pytest.mark.parametrize("name", FROM_EITHER_SIDE)
async def test_only_upsert_leaves_an_orphan_for_a_known_pair(name, world, creates):
    await have(world, ONE)
    await creates(name, *TWO)
    assert await orphans(world) == (name == "upsert")


async def test_unordered_makes_a_thread_for_either_side(world, creates):
    first, second = await creates("unordered", 10, 20), await creates("unordered", 20, 10)
    assert await chats(world) == [(first, 10, 20), (second, 20, 10)]
    assert await creates("unordered", 10, 20) == first
    assert await creates("unordered", 20, 10) == second


# --- two callers, every statement in its written place


@pytest.mark.parametrize("order", [IN_STEP, "A" * 4 + IN_STEP, FIRST_A_THEN_B], ids=["in step", "A ahead", "A then B"])
async def test_unordered_makes_two_threads_of_two_sides(order, world):
    # the row between them gives each side a gap of its own; else they would deadlock
    await have(world, (15, 16))
    got = await interleave(world, STRATEGIES["unordered"], order, ONE, TWO)
    assert sorted(await chats(world))[1:] == sorted([(got[0], *ONE), (got[1], *TWO)])
    assert got[0] != got[1]


@pytest.mark.parametrize("name", ["for_update", "unordered", "serializable"])
async def test_a_gap_lock_that_both_hold_deadlocks_for_the_same_missing_pair(name, world):
    got = await interleave(world, STRATEGIES[name], IN_STEP, ONE, ONE)
    assert sorted(map(type, got), key=str) == [int, str]
    assert "error 1213" in got
    assert len(await chats(world)) == 1
    assert await orphans(world) == 0


@pytest.mark.parametrize("name", ["for_update", "serializable"])
async def test_strangers_in_the_same_gap_deadlock(name, world):
    got = await interleave(world, STRATEGIES[name], IN_STEP, ONE, OTHERS)
    assert "error 1213" in got
    assert len(await chats(world)) == 1


@pytest.mark.parametrize("name", ["for_update", "serializable"])
async def test_strangers_with_a_row_between_them_do_not_deadlock(name, world):
    await have(world, (11, 99))
    got = await interleave(world, STRATEGIES[name], IN_STEP, ONE, OTHERS)
    assert (await chats(world))[1:] == sorted([(got[0], *ONE), (got[1], *OTHERS)])


async def test_the_deadlock_between_strangers_is_reported_with_the_gap_that_both_hold(world):
    await interleave(world, STRATEGIES["for_update"], IN_STEP, ONE, OTHERS)
    deadlock = await world.deadlock()
    assert {lock.place for _, _, lock in deadlock.waits_for()} == {"private_chat.uniq_private_thread"}
    assert deadlock.explain().count("holds the gap after the last row") == 2
    assert await world.deadlock() is None, "told once"


@pytest.mark.parametrize("name", ["for_update", "serializable"])
async def test_a_row_that_exists_is_locked_and_nobody_deadlocks(name, world):
    (thread,) = await have(world, ONE)
    assert await interleave(world, STRATEGIES[name], IN_STEP, ONE, TWO) == [thread, thread]


async def test_for_update_after_the_other_has_committed_finds_its_thread(world):
    first, second = await interleave(world, STRATEGIES["for_update"], FIRST_A_THEN_B, ONE, TWO)
    assert first == second


@pytest.mark.parametrize("name", ["check_then_insert", "for_update_read_committed"])
async def test_without_a_gap_lock_the_unique_key_refuses_the_second(name, world):
    got = await interleave(world, STRATEGIES[name], IN_STEP, ONE, TWO)
    assert got[1] == "error 1062"
    assert await chats(world) == [(got[0], *ONE)]
    assert await orphans(world) == 0


@pytest.mark.parametrize("name", ["check_then_insert", "for_update_read_committed"])
async def test_without_a_gap_lock_strangers_do_not_meet(name, world):
    got = await interleave(world, STRATEGIES[name], IN_STEP, ONE, OTHERS)
    assert await chats(world) == sorted([(got[0], *ONE), (got[1], *OTHERS)])


@pytest.mark.parametrize("name", ONE_THREAD_AND_NO_REFUSAL)
@pytest.mark.parametrize("ahead", range(7))
async def test_one_thread_and_no_refusal_however_far_the_other_is_ahead(name, ahead, world):
    first, second = await interleave(world, STRATEGIES[name], "A" * ahead + IN_STEP, ONE, TWO)
    assert await chats(world) == [(first, *ONE)]
    assert second == first
    lost = name == "upsert"
    assert await orphans(world) == lost


@pytest.mark.parametrize("name", ONE_THREAD_AND_NO_REFUSAL)
@pytest.mark.parametrize("order", [IN_STEP, "ABBA" * 5, "AABB" * 5])
async def test_strangers_hold_nobody_up(name, order, world):
    got = await interleave(world, STRATEGIES[name], order, ONE, OTHERS)
    assert await chats(world) == sorted([(got[0], *ONE), (got[1], *OTHERS)])
    assert await orphans(world) == 0


@pytest.mark.parametrize("name", [name for name in ONE_THREAD_AND_NO_REFUSAL if name != "insert_first"])
async def test_three_callers_get_one_thread(name, world):
    got = await interleave(world, STRATEGIES[name], "ABC" * 10, ONE, TWO, ONE)
    assert await chats(world) == [(got[0], *ONE)]
    assert len(set(got)) == 1
    assert await orphans(world) == (2 if name == "upsert" else 0)


async def test_user_row_makes_a_caller_with_the_same_lower_user_wait(world):
    level = STRATEGIES["user_row"].isolation
    async with world.database(2) as database, database.session(level) as one, database.session(level) as two:
        first = Caller(STRATEGIES["user_row"], one, world.admin, (10, 20))
        second = Caller(STRATEGIES["user_row"], two, world.admin, (10, 22))
        for caller in (first, first, second, second):  # each: BEGIN, then the lock on user 10
            await caller.settle()
            caller.tx.go()
        await second.settle()
        assert await second.tx.waits_for_a_lock()
        threads = [await first.finish(), await second.finish()]
    assert await chats(world) == [(threads[0], *ONE), (threads[1], 10, 22)]


@pytest.mark.parametrize("name", ["get_lock", "get_lock_script"])
async def test_an_advisory_lock_is_given_back_when_the_database_refuses(name, world):
    await world.admin.execute("ALTER TABLE private_chat ADD CHECK (user1_id <> 10)")
    async with world.database(1) as database, database.session() as tx:
        with pytest.raises(DatabaseError):
            await STRATEGIES[name](tx, *ONE)
        assert not tx.in_transaction, "what was begun is undone before the next holder looks"
        assert (await world.admin.execute("SELECT IS_FREE_LOCK('chat:10:20')")).scalar() == 1


@pytest.mark.parametrize("name", ["get_lock", "get_lock_script"])
async def test_an_advisory_lock_that_nobody_gives_is_said_in_a_sentence_and_nothing_is_written(name, world):
    class Impatient:
        """A session that waits for no advisory lock."""

        def __init__(self, session):
            self._session = session

        async def execute(self, sql, args=()):
            return await self._session.execute(sql.replace("(?, 10)", "(?, 0)"), args)

        async def script(self, sql, args=()):
            return await self._session.script(sql.replace("(?, 10)", "(?, 0)"), args)

    await world.admin.execute("DO GET_LOCK('chat:10:20', 0)")
    async with world.database(1) as database, database.session() as tx:
        with pytest.raises(LocksTimeoutError, match="lock timeout: chat:10:20 was held by others for 10 s"):
            await STRATEGIES[name](Impatient(tx), *ONE)
        assert not tx.in_transaction
    assert await chats(world) == []
    assert await orphans(world) == 0


async def test_redis_lock_holds_the_second_caller_back_until_the_first_has_committed(mysql_url, redis_url):
    strategy = STRATEGIES["redis_lock"]
    async with MySQLWorld(Servers(mysql_url=mysql_url, redis_url=redis_url)) as world:
        await world.install("source")
        locks = await world.locks(2)

        async def tries():
            stats = await locks._redis.info("commandstats")
            return stats.get("cmdstat_set", {"calls": 0})["calls"]

        async with world.database(2) as database, database.session() as one, database.session() as two:
            first = Caller(strategy, one, world.admin, ONE, locks)
            await first.settle()
            before = await tries()
            second = Caller(strategy, two, world.admin, TWO, locks)
            while not second.tx.asks.is_set() and await tries() < before + 3:
                pass
            for _ in range(5):  # as far as the second can come, it comes along
                for caller in (second, first):
                    caller.tx.go()
                await first.settle()
            got = await first.finish(), await second.finish()
        assert await chats(world) == [(got[0], *ONE)]
        assert got[0] == got[1]
        assert await orphans(world) == 0


# --- the strategies as values


async def test_a_dirty_answer_is_a_refusal_like_any_other(world):
    class Forgetful:
        """The pair was there when it was inserted, and is gone when it is read."""

        def __init__(self, session):
            self._session = session

        async def script(self, sql, args=()):
            if sql.startswith("ROLLBACK"):
                await self._session.rollback()
                await world.admin.execute("DELETE FROM private_chat")
            return await self._session.script(sql, args)

    await have(world, ONE)
    async with world.database(1) as database, database.session() as tx:
        with pytest.raises(DatabaseError, match=r"the pair \(10, 20\) was there and is gone") as raised:
            await STRATEGIES["one_round_trip"](Forgetful(tx), *ONE)
    assert raised.value.kind is Kind.DUPLICATE_KEY


def test_every_strategy_says_what_it_bets_on_and_whether_it_leaves_orphans():
    for strategy in STRATEGIES.values():
        assert "\n" not in strategy.bet
        assert "bets " in strategy.bet.lower()
        assert ("leaves orphans" in strategy.bet) != ("No orphans" in strategy.bet)
    assert [name for name, each in STRATEGIES.items() if "leaves orphans" in each.bet] == ["upsert"]


def test_the_isolation_level_stands_beside_each():
    levels = {name: strategy.isolation.value for name, strategy in STRATEGIES.items()}
    assert levels == dict.fromkeys(ALL, "REPEATABLE READ") | dict.fromkeys(
        [
            "for_update_read_committed",
            "insert_ignore",
            "upsert",
            "user_row",
            "get_lock_script",
            "one_round_trip",
            "look_first",
        ],
        "READ COMMITTED",
    ) | {"serializable": "SERIALIZABLE"}


async def test_a_strategy_is_given_the_smaller_id_first_unless_it_says_otherwise():
    @creation_strategy()
    async def mine(tx, low, high):
        return tx, low, high

    @creation_strategy(ordered=False)
    async def theirs(tx, uid, other):
        return tx, uid, other

    assert await mine("session", 9, 4) == ("session", 4, 9)
    assert await theirs("session", 9, 4) == ("session", 9, 4)


async def test_a_strategy_is_given_locks_only_if_it_asks():
    @creation_strategy(locks=True)
    async def mine(tx, low, high, locks):
        return locks

    assert await mine("session", 1, 2, "locks") == "locks"
    assert mine.uses_locks


def test_the_decorator_keeps_name_level_and_docstring():
    @creation_strategy(isolation="READ COMMITTED")
    async def mine(tx, low, high):
        """Bets on nothing."""

    assert isinstance(mine, CreationStrategy)
    assert (mine.name, mine.isolation, mine.bet) == ("mine", Isolation.READ_COMMITTED, "Bets on nothing.")


def test_the_decorator_refuses_what_is_no_coroutine_function():
    with pytest.raises(TypeError, match=r"a creation strategy is an 'async def'; .*plain"):

        @creation_strategy()
        def plain(tx, low, high):
            return 1


def test_the_decorator_refuses_an_unknown_isolation_level():
    with pytest.raises(ValueError, match=r"^unknown isolation level 'SNAPSHOT'; there are: READ UNCOMMITTED, .*"):
        creation_strategy(isolation="SNAPSHOT")


def test_the_decorator_without_parentheses_names_the_function():
    with pytest.raises(TypeError, match=r"^write @chatsim\.creation_strategy\(\) above 'mine', with the parentheses$"):

        @creation_strategy
        async def mine(tx, low, high):
            return 1


def test_strategies_are_named_one_by_one_by_commas_or_all():
    one, other = STRATEGIES["upsert"], STRATEGIES["user_row"]
    assert named("upsert, user_row") == named(["upsert", other]) == [one, other]
    assert named(one) == [one]
    assert named("all") == [*STRATEGIES.values()]


@pytest.mark.parametrize("wrong", ["nope", "upsert,nope", ["nope"], ""])
def test_an_unknown_strategy_is_named_with_those_there_are(wrong):
    with pytest.raises(UnknownStrategyError, match=r"unknown creation strategy '(nope)?'; there are: for_update, .*"):
        named(wrong)


async def undecorated(tx, low, high):
    return 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (undecorated, "'undecorated' is no strategy yet; put @chatsim.creation_strategy() above its function"),
        ([None], "None is no strategy; there are: for_update, "),
    ],
)
def test_a_value_that_is_no_strategy_is_named_with_what_to_do(wrong, said):
    with pytest.raises(UnknownStrategyError, match=f"^{re.escape(said)}"):
        named(wrong)


@pytest.mark.parametrize("name", ["get_lock", "get_lock_script"])
async def test_a_cancelled_wait_for_an_advisory_lock_is_a_cancellation(name, world):
    await world.admin.execute("DO GET_LOCK('chat:10:20', 0)")
    async with world.database(1) as database, database.session() as tx:
        waiting = asyncio.create_task(STRATEGIES[name](tx, *ONE))
        while not (
            await world.admin.execute(
                "SELECT 1 FROM performance_schema.metadata_locks WHERE OBJECT_TYPE = 'USER LEVEL LOCK'"
                " AND OBJECT_NAME = 'chat:10:20' AND LOCK_STATUS = 'PENDING'"
            )
        ).rows:
            pass
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_looking_within_get_lock_script_waits_for_no_row_lock(world):
    await world.admin.execute("INSERT INTO chat_thread (id, type) VALUES (1, 'private')")
    await world.admin.execute("INSERT INTO private_chat (thread_id, user1_id, user2_id) VALUES (1, 10, 20)")
    await world.admin.begin()
    await world.admin.execute("DELETE FROM private_chat WHERE thread_id = 1")
    async with world.database(1) as database, database.session(Isolation.READ_COMMITTED) as tx:
        await tx.execute("SET innodb_lock_wait_timeout = 1")
        assert await STRATEGIES["get_lock_script"](tx, *ONE) == 1
    await world.admin.rollback()
