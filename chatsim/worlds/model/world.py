"""The world `model`: the platform with its database server, for the length of one run in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from chatsim.chat import schema as schemas
from chatsim.simulation.run_queues import Share
from chatsim.worlds.model import contents, utilisation
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.database import AdminSession, Caller
from chatsim.worlds.model.platform import ModelPlatform
from chatsim.worlds.model.server import ModelServer
from chatsim.worlds.world import CALLERS, Reads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from chatsim.db.commits import CommitFates
    from chatsim.db.deadlock import Deadlock
    from chatsim.db.session import Database, Session
    from chatsim.innodb.server.durability import Durability
    from chatsim.worlds.world import Costs, SessionTimeouts, TableContents

__all__ = ["ModelWorld"]


class ModelWorld(ModelPlatform):
    """The `World` in virtual time; made within `chatsim.simulation.loop.run`.

    Args:
        costs: what things cost.
        seed: of the latencies, of the key of the tokens, and of which records are not in memory.
        durability: the settings of the database server's logs; None is MySQL's defaults.

    Attributes:
        server: the database server.
        admin: a session outside every pool, whose work takes no time.
    """

    warms_up = False

    def __init__(self, costs: ModelCosts, *, seed: int, durability: Durability | None = None) -> None:
        super().__init__(costs, seed=seed, database=self._pool)
        self.server = ModelServer(
            self.network,
            costs.database,
            self.wall_time,
            self.cache_misses,
            durability=durability,
            cpu=Share(self.cores) if self.cores else None,
        )
        own = self.interpreter
        self._caller = Caller(costs.client, own.work if own else asyncio.sleep, own.go_on if own else asyncio.sleep)
        self.admin = AdminSession(self.server.engine)
        self._of_everything = costs
        self._last_deadlock: Deadlock | None = None

    def _pool(
        self, connections: int, machine: str, timeouts: SessionTimeouts | None
    ) -> AbstractAsyncContextManager[Database]:
        # on a machine of its own, a node's work is all in its service times
        caller = self._caller if machine == CALLERS or self.interpreter else None
        return self.server.pool(connections, machine, timeouts, caller)

    @property
    def most_connections(self) -> None:
        """None: the modelled server takes any number."""

    @property
    def environment(self) -> Mapping[str, object]:
        """Engine and version; the settings that the engine models; what everything costs, as in a file of costs."""
        durability = self.server.engine.log.durability
        return {
            "engine": "model of InnoDB",
            "server_version": "9.7",
            "profile": "durable",
            "settings": {
                "log_bin": durability.log_bin,
                "sync_binlog": durability.sync_binlog,
                "innodb_flush_log_at_trx_commit": durability.flush_log_at_trx_commit,
                "innodb_deadlock_detect": 1,
            },
            # plain values; what has no limit is None
            "costs": msgspec.json.decode(msgspec.json.encode(self._of_everything)),
        }

    async def own_work(self) -> None:
        """The cost ``client.operation``."""
        await self._caller.operate()

    async def install(self, schema: str) -> None:
        """Create the tables of a schema of ``chat/schema``, empty."""
        if views := ", ".join(f"`{name}`" for name in self.server.engine.views):
            await self.admin.execute(f"DROP VIEW {views}")
        if names := ", ".join(f"`{table.name}`" for table in self.server.engine.tables.values()):
            await self.admin.execute(f"DROP TABLE {names}")
        for statement in schemas.statements(schema):
            await self.admin.execute(statement)

    async def crash(self, down: float, *, host: bool = False) -> None:
        """Kill the server, or its whole host, and recover it ``down`` seconds later."""
        await self.server.crash(host=host)
        await asyncio.sleep(down)
        self.server.restart()
        self.admin = AdminSession(self.server.engine)

    @property
    def fates(self) -> CommitFates:
        """What crashes and lost connections have done to commits so far."""
        return self.server.engine.log.fates

    def reserve(self, connections: int) -> None:
        """The network takes any number."""

    async def costs(self) -> Costs:
        """What all the pools together have cost so far, and how much each resource has worked."""
        return replace(self.server.costs(), busy=utilisation.busy(self))

    async def reads(self) -> Reads:
        """The rows that all sessions have read so far. Sorting is done without temporary tables."""
        counts = {
            f"{table.name}.{index.definition.name}": index.reads
            for table in self.server.engine.tables.values()
            for index in table.indexes
            if index.reads
        }
        return Reads(counts, None)

    async def explain(self, sql: str, args: Sequence[object]) -> str | None:  # noqa: ARG002
        """None: the model does not measure a plan."""
        return None

    async def contents(self) -> Mapping[str, TableContents]:
        """The tables of the engine."""
        return contents.contents(self.server.engine)

    async def warnings(self) -> Sequence[str]:
        """None: nobody else uses the modelled server."""
        return ()

    async def session_states(self) -> Mapping[str, int] | None:
        """The sessions of the engine."""
        return contents.session_states(self.server.engine, aside=self.admin.connection_id)

    @asynccontextmanager
    async def stocked(
        self,
        schema: str,
        contents: str,  # noqa: ARG002 - nothing outlives a run
        load: Callable[[Session], Awaitable[None]],
    ) -> AsyncIterator[None]:
        """See `World.stocked`. The tables are in the world's only schema."""
        await self.install(schema)
        await load(self.admin)
        yield

    async def deadlock(self) -> Deadlock | None:
        """The latest deadlock, if it is new."""
        latest = self.server.engine.deadlock
        if latest is self._last_deadlock:
            return None
        self._last_deadlock = latest
        return latest
