"""How a node creates private chats: a strategy, and what it does when the database refuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chatsim.chat.creation import CreationStrategy, attempt
from chatsim.chat.ports import Locks
from chatsim.chat.retry import Retry
from chatsim.chat.server.stats import Stats
from chatsim.db.session import Database

__all__ = ["Creator"]


@dataclass(frozen=True)
class Creator:
    """Creates with one strategy and one retry policy.

    Attributes:
        strategy: how.
        retry: what is done about a refusal.
        locks: the `Locks` port, if the strategy uses one.
        rng: for the pauses between tries.
    """

    strategy: CreationStrategy
    retry: Retry
    locks: Locks | None
    rng: np.random.Generator

    async def create(self, database: Database, uid: int, other: int, stats: Stats) -> int:
        """The thread of ``uid`` and ``other``; each try leases a connection, and gives it back before a pause.

        Raises:
            DatabaseError, LocksError: the last try was refused.
            StrategyError: the strategy is broken.
        """
        tries = 0

        async def once() -> int:
            nonlocal tries
            tries += 1
            async with database.session(self.strategy.isolation) as tx:
                return await attempt(self.strategy, tx, uid, other, self.locks)

        try:
            return await self.retry.run(once, self.rng, stats.refused)
        finally:
            stats.retries += tries - 1
