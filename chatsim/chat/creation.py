"""Strategies for creating a private chat. They differ only in how they handle two callers at the same time.

A strategy gets a session in autocommit, with its isolation level set, and returns the thread id of the pair. Its
docstring says what it bets on, and whether it can leave orphans (rows of chat_thread that no private_chat refers to).
The tables are those of ``schema/source.sql``. The source's own design is `for_update`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from chatsim.chat.ports import Locks, LocksError, LocksTimeoutError
from chatsim.chat.strategies import (
    SILENT_ENDS,
    StrategyError,
    UnknownStrategyError,
    broken,
    from_file,
    is_cancelled,
    no_strategy,
    require_async,
    require_parentheses,
)
from chatsim.db.errors import ConnectionLostError, DatabaseError, DuplicateKeyError, WrongStatementError
from chatsim.db.session import Isolation, Rows, Session

__all__ = [
    "NOOP",
    "STRATEGIES",
    "CreationStrategy",
    "attempt",
    "creation_strategy",
    "named",
]

Create = Callable[..., Awaitable[int]]

_EXPECTED = (DatabaseError, LocksError, StrategyError)


@dataclass(frozen=True)
class CreationStrategy:
    """A way to give the two members of a pair one thread.

    Attributes:
        name: the function's name.
        create: ``async (tx, low, high) -> thread_id``, and ``locks`` as a fourth argument if ``uses_locks``.
        isolation: the isolation level of its session.
        ordered: whether it gets the smaller id first; otherwise it gets the caller's id first.
        uses_locks: whether it needs the `Locks` port.
        bet: the function's docstring: what it bets on, and whether it can leave orphans.
    """

    name: str
    create: Create = field(repr=False)
    isolation: Isolation
    ordered: bool
    uses_locks: bool
    bet: str = field(repr=False)

    async def __call__(self, tx: Session, uid: int, other: int, locks: Locks | None = None) -> int:
        """The id of the thread of ``uid``, the caller, and ``other``. The thread is created if there is none."""
        first, second = (min(uid, other), max(uid, other)) if self.ordered else (uid, other)
        if self.uses_locks:
            return await self.create(tx, first, second, locks)
        return await self.create(tx, first, second)


def creation_strategy(
    misplaced: object = None,
    /,
    *,
    isolation: str = Isolation.REPEATABLE_READ,
    ordered: bool = True,
    locks: bool = False,
) -> Callable[[Create], CreationStrategy]:
    """Make a creation strategy of an ``async def name(tx, low, high)`` that returns the thread id.

    Args:
        misplaced: the function, if the decorator was written without its parentheses. It is refused.
        isolation: the isolation level of its transactions.
        ordered: pass the smaller id first; otherwise the caller's id is first.
        locks: pass the `Locks` port as a fourth argument.

    Raises:
        ValueError: ``isolation`` is not an isolation level.
        TypeError: the function is not a coroutine function, or the decorator has no parentheses.
    """
    require_parentheses("creation_strategy()", misplaced)
    level = Isolation(isolation)

    def decorate(create: Create) -> CreationStrategy:
        require_async("creation", create)
        return CreationStrategy(create.__name__, create, level, ordered, locks, inspect.getdoc(create) or "")

    return decorate


async def attempt(strategy: CreationStrategy, tx: Session, uid: int, other: int, locks: Locks | None) -> int:
    """Try once to get the thread of ``uid`` and ``other``. After an error, the transaction is rolled back if possible.

    Raises:
        DatabaseError, LocksError: the try was refused. The session can't be used any more after a
            `ConnectionLostError`, or if it is still in a transaction (the rollback has lost the connection).
        StrategyError: the strategy is broken.
    """
    try:
        thread = await strategy(tx, uid, other, locks)
        problem = _problem(thread, tx)
    except ConnectionLostError:
        raise
    except (Exception, *SILENT_ENDS) as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        await _undo(tx)
        if isinstance(error, _EXPECTED) and not isinstance(error, WrongStatementError):
            raise
        # also for a CancelledError: else the caller would vanish, as a task that somebody has cancelled
        raise broken(strategy.name, strategy.create, error) from error
    if problem:
        await _undo(tx)
        raise StrategyError(f"strategy {strategy.name!r} {problem}")
    return thread


def _problem(thread: object, tx: Session) -> str | None:
    if tx.in_transaction:
        return "returned with its transaction open: it forgot to commit or to roll back"
    if not isinstance(thread, int):
        return f"returned {thread!r}, which is no thread id"
    return None


async def _undo(tx: Session) -> None:
    if tx.in_transaction:
        with suppress(ConnectionLostError):
            await tx.rollback()


_FIND = "SELECT thread_id FROM private_chat WHERE user1_id = ? AND user2_id = ?"
_NEW_THREAD = "INSERT INTO chat_thread (type, created_at) VALUES ('private', NOW())"
_NEW_CHAT = "INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES (?, ?, ?, NOW())"
_NEW_CHAT_OF_LAST_THREAD = _NEW_CHAT.replace("?", "LAST_INSERT_ID()", 1)


async def _insert(tx: Session, low: int, high: int) -> int:
    """The source's two inserts, within the open transaction."""
    thread = (await tx.execute(_NEW_THREAD)).last_id
    await tx.execute(_NEW_CHAT, (thread, low, high))
    return thread


async def _find_or_insert(tx: Session, low: int, high: int) -> int:
    """Look without FOR UPDATE, insert if there is nothing, commit."""
    await tx.begin()
    thread = (await tx.execute(_FIND, (low, high))).scalar()
    if thread is None:
        thread = await _insert(tx, low, high)
    await tx.commit()
    return thread


async def _source(tx: Session, first: int, second: int) -> int:
    """The source's transaction, statement by statement (docs/source.md, D3)."""
    await tx.begin()
    thread = (await tx.execute(_FIND + " FOR UPDATE", (first, second))).scalar()
    if thread is None:
        await tx.execute(_NEW_THREAD)
        thread = (await tx.execute("SELECT LAST_INSERT_ID()")).scalar()
        await tx.execute(_NEW_CHAT, (thread, first, second))
    await tx.commit()
    assert thread is not None
    return thread


@creation_strategy()
async def for_update(tx: Session, low: int, high: int) -> int:
    """Bets that FOR UPDATE locks the row it is looking for; a missing row has none. No orphans."""
    return await _source(tx, low, high)


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def for_update_read_committed(tx: Session, low: int, high: int) -> int:
    """Bets that without gap locks the unique key alone will do, by a duplicate key and a retry. No orphans."""
    return await _source(tx, low, high)


@creation_strategy(isolation=Isolation.SERIALIZABLE)
async def serializable(tx: Session, low: int, high: int) -> int:
    """Bets on the highest isolation level; but its reads share the gap lock, and then deadlock. No orphans."""
    return await _find_or_insert(tx, low, high)


@creation_strategy()
async def check_then_insert(tx: Session, low: int, high: int) -> int:
    """Bets that nobody creates the pair between its read and its insert; the unique key refuses it. No orphans."""
    return await _find_or_insert(tx, low, high)


@creation_strategy(ordered=False)
async def unordered(tx: Session, uid: int, other: int) -> int:
    """Bets that a pair is always written in the same order: `for_update` with unsorted ids. No orphans."""
    return await _source(tx, uid, other)


@creation_strategy()
async def insert_first(tx: Session, low: int, high: int) -> int:
    """Bets that most requests create: insert, and on a duplicate key roll back and read the winner's. No orphans."""
    await tx.begin()
    try:
        thread = await _insert(tx, low, high)
    except DuplicateKeyError:
        await tx.rollback()
        return _found(await tx.execute(_FIND, (low, high)), low, high)
    await tx.commit()
    return thread


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def insert_ignore(tx: Session, low: int, high: int) -> int:
    """Bets on IGNORE: no error to handle; the loser rolls its thread back and reads. No orphans."""
    await tx.begin()
    thread = (await tx.execute(_NEW_THREAD)).last_id
    made = await tx.execute(_NEW_CHAT.replace("INSERT", "INSERT IGNORE"), (thread, low, high))
    if made.affected:
        await tx.commit()
        return thread
    await tx.rollback()
    return _found(await tx.execute(_FIND, (low, high)), low, high)


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def upsert(tx: Session, low: int, high: int) -> int:
    """Bets on ON DUPLICATE KEY UPDATE naming the winner; the loser's thread is committed too: leaves orphans."""
    await tx.begin()
    mine = (await tx.execute(_NEW_THREAD)).last_id
    rows = await tx.execute(
        _NEW_CHAT + " ON DUPLICATE KEY UPDATE thread_id = LAST_INSERT_ID(thread_id)", (mine, low, high)
    )
    await tx.commit()
    return rows.last_id or mine


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def user_row(tx: Session, low: int, high: int) -> int:
    """Bets on a row that exists: locks the lower user's before it looks; a popular user queues. No orphans."""
    await tx.begin()
    await tx.execute("SELECT uid FROM user WHERE uid = ? FOR UPDATE", (low,))
    thread = (await tx.execute(_FIND, (low, high))).scalar()
    if thread is None:
        thread = await _insert(tx, low, high)
    await tx.commit()
    return thread


@creation_strategy()
async def get_lock(tx: Session, low: int, high: int) -> int:
    """Bets on the server's advisory locks, one per pair, which deadlock detection does not see. No orphans."""
    name = f"chat:{low}:{high}"
    if (await tx.execute("SELECT GET_LOCK(?, 10)", (name,))).scalar() != 1:
        raise LocksTimeoutError(name, 10)
    try:
        thread = await _find_or_insert(tx, low, high)
    except DatabaseError as error:
        await _release(tx, name, error)
        raise
    await tx.execute("DO RELEASE_LOCK(?)", (name,))
    return thread


_LOCKED = """
    SET @locked = GET_LOCK(?, 10), @thread = NULL;
    SELECT thread_id INTO @thread FROM private_chat WHERE user1_id = ? AND user2_id = ?;
    BEGIN;
    INSERT INTO chat_thread (type, created_at) SELECT 'private', NOW() FROM DUAL WHERE @locked AND @thread IS NULL;
    INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at)
      SELECT LAST_INSERT_ID(), ?, ?, NOW() FROM DUAL WHERE @locked AND @thread IS NULL;
    COMMIT;
    SELECT IF(@locked, CAST(COALESCE(@thread, LAST_INSERT_ID()) AS UNSIGNED), NULL);
    SET @locked = NULL + RELEASE_LOCK(?), @thread = NULL"""
_UNLOCK = _LOCKED.rpartition(";")[2].strip()  # it clears the variables, too, for whoever leases the connection next


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def get_lock_script(tx: Session, low: int, high: int) -> int:
    """Bets like `get_lock`, in one round trip: a crowd on one pair queues for the lock and then reads. No orphans."""
    name = f"chat:{low}:{high}"
    try:
        *_, found, _ = await tx.script(_LOCKED, (name, low, high, low, high, name))
    except DatabaseError as error:
        await _release(tx, name, error, _UNLOCK)
        raise
    thread = found.scalar()
    if thread is None:
        raise LocksTimeoutError(name, 10)
    return thread


async def _release(tx: Session, name: str, error: DatabaseError, unlock: str = "DO RELEASE_LOCK(?)") -> None:
    """Roll back, and then release the lock, so that the next holder does not meet the changes that are rolled back."""
    if not isinstance(error, ConnectionLostError):  # the server has done both
        await tx.rollback()
        await tx.execute(unlock, (name,))


@creation_strategy(locks=True)
async def redis_lock(tx: Session, low: int, high: int, locks: Locks) -> int:
    """Bets on a lock in Redis that outlives its holder by no more than its expiry. No orphans."""
    async with locks.hold(f"chat:{low}:{high}"):
        return await _find_or_insert(tx, low, high)


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def one_round_trip(tx: Session, low: int, high: int) -> int:
    """Bets that most requests create: one script inserts and commits; a second one reads a duplicate. No orphans."""
    try:
        _, thread, _, _ = await tx.script(f"BEGIN; {_NEW_THREAD}; {_NEW_CHAT_OF_LAST_THREAD}; COMMIT", (low, high))
    except DuplicateKeyError:
        _, found = await tx.script(f"ROLLBACK; {_FIND}", (low, high))
        return _found(found, low, high)
    return thread.last_id


@creation_strategy(isolation=Isolation.READ_COMMITTED)
async def look_first(tx: Session, low: int, high: int) -> int:
    """Bets that most chats exist: a read without locks, and `one_round_trip` if it finds nothing. No orphans."""
    thread = (await tx.execute(_FIND, (low, high))).scalar()
    return thread if thread is not None else await one_round_trip(tx, low, high)


@creation_strategy()
async def noop(tx: Session, low: int, high: int) -> int:  # noqa: ARG001 - that is the point
    """Bets on nothing and creates nothing, so it is never safe: its row is what the harness itself costs."""
    return 0


def _found(rows: Rows, low: int, high: int) -> int:
    """The thread that the unique key has refused. If it has been deleted since, that is a refusal like any other."""
    thread = rows.scalar()
    if thread is None:
        raise DuplicateKeyError(None, f"the pair ({low}, {high}) was there and is gone")
    return thread


NOOP = noop

STRATEGIES: dict[str, CreationStrategy] = {
    strategy.name: strategy
    for strategy in (
        for_update,
        for_update_read_committed,
        serializable,
        check_then_insert,
        unordered,
        insert_first,
        insert_ignore,
        upsert,
        user_row,
        get_lock,
        get_lock_script,
        redis_lock,
        one_round_trip,
        look_first,
    )
}


def named(strategies: str | CreationStrategy | Iterable[str | CreationStrategy]) -> list[CreationStrategy]:
    """Strategies by name, one or many; ``"all"`` means all but `noop`, ``"FILE.py:NAME"`` is one of a Python file.

    Raises:
        UnknownStrategyError: there is no such strategy.
    """
    known = STRATEGIES | {NOOP.name: NOOP}
    if isinstance(strategies, str):
        strategies = STRATEGIES.values() if strategies == "all" else strategies.split(",")
    elif not isinstance(strategies, Iterable):
        strategies = [strategies]
    found = []
    for each in strategies:
        if not isinstance(each, str | CreationStrategy):
            raise no_strategy(each, "creation_strategy()", known)
        strategy = each if isinstance(each, CreationStrategy) else known.get(each.strip())
        if strategy is None and ":" in str(each):
            strategy = from_file(str(each), CreationStrategy, "creation_strategy()")
        if strategy is None:
            raise UnknownStrategyError(f"unknown creation strategy {each!r}; there are: {', '.join(known)}")
        found.append(strategy)
    return found
