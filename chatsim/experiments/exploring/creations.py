"""Callers of a creation strategy, for an exploration: what they ask for, and what must hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from chatsim.chat import schema
from chatsim.chat.creation import CreationStrategy, attempt
from chatsim.chat.ports import LocksError, LocksTimeoutError
from chatsim.db.errors import ConnectionLostError, LockWaitTimeoutError
from chatsim.db.session import Isolation, Session
from chatsim.experiments.exploring.patterns import Pattern, Present
from chatsim.exploration.callers import Caller, Program
from chatsim.exploration.choices import Switches
from chatsim.exploration.execution import Execution
from chatsim.exploration.problem import FIRST_ID, Problem, Setup
from chatsim.exploration.questions import ANSWERED, ENDS, NO_DEADLOCK, Question, empty
from chatsim.worlds.world import BadParameterError

__all__ = ["QUESTIONS", "creations"]

_FIRST = 10
"""The first user: there is room for neighbours on either side."""
_PATIENCE_SECONDS = 5
_TABLES = ("user", "chat_thread", "private_chat")

_FIRST_THREAD = f"ALTER TABLE chat_thread AUTO_INCREMENT = {FIRST_ID}"
_THREADS = "SELECT user1_id, user2_id, thread_id FROM private_chat"
_ORPHANS = "SELECT id FROM chat_thread WHERE id NOT IN (SELECT thread_id FROM private_chat)"


def creations(
    strategy: CreationStrategy,
    *,
    callers: int,
    pattern: Pattern = "same_pair",
    present: Present = "nothing",
    tables: str = "hardened",
    isolation: Isolation | None = None,
    switches: Switches | None = None,
    opaque_ids: bool = False,
) -> Problem:
    """Callers that each ask once for a thread.

    Args:
        strategy: how they create it.
        callers: how many.
        pattern: who asks for whom.
        present: which chats there are before.
        tables: the name of the schema.
        isolation: the isolation level; None is the strategy's.
        switches: what may happen besides.
        opaque_ids: whether the strategy only passes ids of threads on, and compares them (`Problem`).
    """
    pairs = [_pair(pattern, number) for number in range(callers)]
    names = [f"caller{number + 1}" for number in range(callers)]
    return Problem(
        Setup((*_script(tables), *_rows(pairs, present), *([_FIRST_THREAD] if opaque_ids else []))),
        tuple(
            Caller(
                *(name, _program(strategy, *pair), isolation or strategy.isolation),
                alike=(min(pair), max(pair)) if strategy.ordered else pair,
            )
            for name, pair in zip(names, pairs, strict=True)
        ),
        switches or Switches(),
        opaque_ids,
    )


def _pair(pattern: Pattern, number: int) -> tuple[int, int]:
    if pattern == "strangers":
        return _FIRST + 4 * number, _FIRST + 4 * number + 1
    return (_FIRST, _FIRST + 1) if number % 2 == 0 else (_FIRST + 1, _FIRST)


def _script(tables: str) -> list[str]:
    """The tables that creations use, and those they refer to."""
    if tables not in schema.names():
        raise BadParameterError(f"tables is {tables!r}; it can be: {', '.join(schema.names())}")
    return [sql for sql in schema.statements(tables) if _table(sql) in _TABLES]


def _table(sql: str) -> str:
    words = sql.split("(", maxsplit=1)[0].split()
    return words[2].strip("`") if words[:2] == ["CREATE", "TABLE"] else ""


def _rows(pairs: Sequence[tuple[int, int]], present: Present) -> list[str]:
    first, last = min(min(each) for each in pairs), max(max(each) for each in pairs)
    there = {
        "nothing": [],
        "pair": [(min(pairs[0]), max(pairs[0]))],
        "neighbours": [(first - 2, first - 1), (last + 1, last + 2)],
    }[present]
    users = ", ".join(f"({uid}, 'user{uid}', '{uid}@example.org')" for uid in range(first - 2, last + 3))
    rows = [f"INSERT INTO user (uid, name, email) VALUES {users}"]  # noqa: S608
    for thread, (low, high) in enumerate(there, 1):
        chat = f"({thread}, {low}, {high}, '2026-01-01')"
        rows += [
            f"INSERT INTO chat_thread (id, type, created_at) VALUES ({thread}, 'private', '2026-01-01')",  # noqa: S608
            f"INSERT INTO private_chat (thread_id, user1_id, user2_id, created_at) VALUES {chat}",  # noqa: S608
        ]
    return rows


class _Locks:
    """Locks outside of the database, of one try of a caller: the server's advisory locks stand for them.

    To take one and to release it are steps of the caller. A waiter that polls may be overtaken by one that comes later,
    and here it is not; but whatever comes of that also comes of the order in which the other one comes first. A lock
    whose holder has died is free at once, as it is after its expiry; it does not expire while its holder lives.
    """

    def __init__(self, tx: Session) -> None:
        self._tx = tx

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Hold the lock ``name`` for the block."""
        if (await self._tx.execute("SELECT GET_LOCK(?, ?)", (name, _PATIENCE_SECONDS))).scalar() != 1:
            raise LocksTimeoutError(name, _PATIENCE_SECONDS)
        try:
            yield
        except Exception:
            await self._release(name)
            raise
        await self._release(name)

    async def _release(self, name: str) -> None:
        with suppress(ConnectionLostError):  # the server has released it
            await self._tx.execute("DO RELEASE_LOCK(?)", (name,))


def _program(strategy: CreationStrategy, uid: int, other: int) -> Program:
    async def ask(tx: Session) -> int:
        try:
            return await attempt(strategy, tx, uid, other, _Locks(tx))
        except LocksError as error:  # a wait for GET_LOCK that took too long
            raise LockWaitTimeoutError(None, str(error)) from error

    return ask


def _wrong_threads(execution: Execution) -> bool:
    """Whether a pair has several threads, or a caller was given another one than the pair has, or none."""
    rows: dict[frozenset[object], set[object]] = {}
    for one, other, thread in execution.query(_THREADS):
        rows.setdefault(frozenset((one, other)), set()).add(thread)
    given = {each.value for each in execution.ended if each.value is not None}
    return any(len(threads) > 1 for threads in rows.values()) or not given <= set().union(*rows.values())


QUESTIONS: Sequence[Question] = (
    ENDS,
    NO_DEADLOCK,
    ANSWERED,
    Question("threads", "each pair has one thread, and all got it", at_end=_wrong_threads),
    empty("orphans", "no thread without a chat", _ORPHANS),
)
"""What is asked about creations."""
