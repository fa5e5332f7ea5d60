"""A cluster: several nodes and a status server in one process, on MySQL or in the model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.chat.creation import CreationStrategy
from chatsim.chat.ports import Address, Presence, RegistryError
from chatsim.chat.retry import Retry
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.node import Node, Services
from chatsim.chat.server.stats import Stats
from chatsim.chat.server.status import StatusServer
from chatsim.chat.server.store.texts import TEXTS, Texts
from chatsim.worlds.service import ChatService
from chatsim.worlds.world import Platform, Sharing, WorldError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MISSED_REPORTS", "Cluster", "cluster", "listening"]

_STATUS = "status"
"""The name of the status server's machine."""

MISSED_REPORTS = 3
"""The number of missed reports after which a node counts as dead."""


@dataclass(frozen=True)
class Cluster(ChatService):
    """A running cluster.

    Attributes:
        nodes: the nodes.
        presence: which node a user is on.
    """

    nodes: Sequence[Node]
    presence: Presence
    _begin: Callable[[int], Awaitable[None]]

    async def crash(self, number: int, down: float) -> None:
        """Kill a node, and start another one with its name ``down`` seconds later, at a new address."""
        await self.nodes[number].kill()
        await asyncio.sleep(down)
        await self._begin(number)

    @property
    def stats(self) -> Stats:
        """The counts of all nodes together."""
        return Stats.sum(node.stats for node in self.nodes)


@asynccontextmanager
async def listening(node: Node, address: Address) -> AsyncIterator[Node]:
    """Let ``node`` listen at ``address`` for the block. Raises `WorldError`."""
    try:
        await node.open(address)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        raise WorldError(f"{node.name} can't listen at {address}: {why}") from error
    except RegistryError as error:
        raise WorldError(f"{node.name} can't report: {error}") from error
    try:
        yield node
    finally:
        await node.close()


@asynccontextmanager
async def cluster(
    platform: Platform,
    *,
    nodes: int,
    pool: int,
    strategy: CreationStrategy,
    retry: Retry,
    limits: Limits,
    schema: str,
    rngs: Sequence[np.random.Generator],
    host: str | None = None,
    port: int = 0,
    texts: Texts | None = None,
    sharing: Sharing | None = None,
) -> AsyncIterator[Cluster]:
    """Nodes named ``node1`` and so on, each with a pool of ``pool`` connections; closed at the end of the block.

    Args:
        platform: the platform; its tables exist already.
        nodes: the number of nodes.
        pool: the number of database connections of each node.
        strategy: how nodes create private chats.
        retry: what nodes do after the database has refused.
        limits: the limits of sessions.
        schema: the name of the schema of the tables.
        rngs: a random generator for each node.
        host: where nodes listen; None is the host of each node's machine.
        port: the port of the first node, followed by those of the others; 0 is any free port for each.
        texts: how nodes store messages; None is the default of the schema.
        sharing: how nodes share presence and call each other; None is the default of the platform.

    Raises:
        WorldError: connections, addresses, or the locks that the strategy needs are not available.
    """
    dead = MISSED_REPORTS * limits.report
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(platform.shared(sharing, expiry=limits.expiry, dead=dead))
        running: list[Node] = []
        pools = [
            await stack.enter_async_context(platform.database(pool, f"node{number + 1}")) for number in range(nodes)
        ]
        lives: dict[int, AsyncExitStack] = {}

        async def begin(number: int) -> None:
            name = f"node{number + 1}"
            if number in lives:  # it has been killed
                await lives[number].aclose()
            services = Services(
                network=platform.network_at(name),
                database=pools[number],
                tokens=shared.tokens,
                presence=shared.presence(name),
                directory=shared.directory,
                peers=shared.peers.of(name),
                locks=await platform.locks(nodes * pool, name) if strategy.uses_locks else None,
            )
            config = NodeConfig(
                strategy=strategy,
                retry=retry,
                isolation=strategy.isolation,
                texts=texts or TEXTS[schema],
                limits=limits,
                rng=rngs[number],
            )
            node = Node(name, services, config)
            life = lives[number] = await stack.enter_async_context(AsyncExitStack())
            await life.enter_async_context(shared.peers.serve(name, node))
            where = Address(host or platform.host(name), port and port + number)
            await life.enter_async_context(listening(node, where))
            running[number:] = [node, *running[number + 1 :]]

        for number in range(nodes):
            await begin(number)
        status = StatusServer(shared.directory, shared.tokens)
        yield Cluster(status, platform, running, shared.presence(_STATUS), begin)
