"""The clients of an experiment: each carries out one operation at a time and records what came of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Self

import numpy as np

from chatsim.chat.creation import CreationStrategy
from chatsim.chat.ports import ConnectionLostError, Database, DatabaseError, Locks, LocksError, Session
from chatsim.chat.retry import Retry
from chatsim.lab.history import Operation, Outcome

__all__ = ["StoreCaller", "StrategyError"]


class StrategyError(Exception):
    """A strategy is broken: it raised what no database raises, forgot to end its transaction, or returned no id."""


class StoreCaller:
    """A caller straight on a connection of its own: no wire, no node.

    Args:
        number: which client this is.
        database: where its connection is leased; entering leases it, so that no measured window does.
        strategy: how it creates.
        locks: the `Locks` port, if the strategy uses one.
        retry: what it does when refused.
        rng: for the pauses between tries.
    """

    def __init__(
        self,
        number: int,
        *,
        database: Database,
        strategy: CreationStrategy,
        locks: Locks | None,
        retry: Retry,
        rng: np.random.Generator,
    ) -> None:
        self._number = number
        self._database = database
        self._strategy = strategy
        self._locks = locks
        self._retry = retry
        self._rng = rng
        self._lease = AsyncExitStack()
        self._session: Session | None = None

    async def __aenter__(self) -> Self:
        await self._leased()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lease.aclose()

    async def create(
        self, uid: int, other: int, *, turn: int, begun: float, intended: float | None = None
    ) -> Operation:
        """Ask for the thread of ``uid`` and ``other``.

        Args:
            uid: the asking user.
            other: whom to chat with.
            turn: which of this caller's operations it is.
            begun: when the run began, on the loop's clock; the record's times count from there.
            intended: when the operation was due, on the loop's clock; now, when None.

        Raises:
            StrategyError: the strategy is broken. Refusals by the database are outcomes, not errors.
        """
        clock = asyncio.get_running_loop().time
        refusals: list[DatabaseError] = []
        attempts = 0

        async def attempt() -> int:
            nonlocal attempts
            attempts += 1
            return await self._attempt(uid, other)

        thread, outcome, reason = None, Outcome.OK, ""
        start = clock()
        try:
            thread = await self._retry.run(attempt, self._rng, refusals.append)
        except (DatabaseError, LocksError) as error:
            reason = str(error)
            # a lost try may have taken effect, whatever the tries after it met
            lost = any(isinstance(error, ConnectionLostError) for error in refusals)
            outcome = Outcome.UNKNOWN if lost else Outcome.FAIL
        end = clock()
        return Operation(
            client=self._number,
            round=turn,
            uid=uid,
            other=other,
            intended=(start if intended is None else intended) - begun,
            start=start - begun,
            end=end - begun,
            outcome=outcome,
            attempts=attempts,
            refusals=tuple(error.errno for error in refusals),
            thread=thread,
            reason=reason,
        )

    async def _attempt(self, uid: int, other: int) -> int:
        session = await self._leased()
        try:
            thread = await self._strategy(session, uid, other, self._locks)
            problem = _problem(thread, session)
        except (DatabaseError, LocksError) as error:
            await self._clean(session, lost=isinstance(error, ConnectionLostError))
            raise
        except Exception as error:
            await self._clean(session)
            raise StrategyError(f"strategy {self._strategy.name!r} raised {_describe(error)}") from error
        if problem:
            await self._clean(session)
            raise StrategyError(f"strategy {self._strategy.name!r} {problem}")
        return thread

    async def _leased(self) -> Session:
        if self._session is None:
            self._session = await self._lease.enter_async_context(self._database.session(self._strategy.isolation))
        return self._session

    async def _clean(self, session: Session, *, lost: bool = False) -> None:
        """Leave no transaction behind; give a lost connection back, so that the next try leases another."""
        try:
            if not lost and session.in_transaction:
                await session.rollback()
        except ConnectionLostError:
            lost = True
        if lost:
            self._session = None
            await self._lease.aclose()


def _problem(thread: object, session: Session) -> str | None:
    if session.in_transaction:
        return "returned with its transaction open: it forgot to commit or to roll back"
    if not isinstance(thread, int):
        return f"returned {thread!r}, which is no thread id"
    return None


def _describe(error: Exception) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_filename}, line {place.tb_lineno})" if place else ""
    return f"{type(error).__name__}: {error}{where}"
