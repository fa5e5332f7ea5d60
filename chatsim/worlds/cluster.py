"""Several nodes and a status server in one process, in either world."""

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
"""The status server's machine."""

MISSED_REPORTS = 3
"""A node that has missed so many counts as dead."""


@dataclass(frozen=True)
class Cluster(ChatService):
    """Nodes that run.

    Attributes:
        nodes: the nodes.
        presence: which node a user is on.
    """

    nodes: Sequence[Node]
    presence: Presence
    _begin: Callable[[int], Awaitable[None]]

    async def crash(self, number: int, down: float) -> None:
        """Kill a node, and have another of its name begin so many seconds later, at a new address."""
        await self.nodes[number].kill()
        await asyncio.sleep(down)
        await self._begin(number)

    @property
    def stats(self) -> Stats:
        """What all the nodes have met."""
        return Stats.sum(node.stats for node in self.nodes)


@asynccontextmanager
async def listening(node: Node, address: Address) -> AsyncIterator[Node]:
    """Have ``node`` listen at ``address`` for the block. Raises `WorldError`."""
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
        platform: where they run; its tables are there.
        nodes: how many.
        pool: connections to the database, for each.
        strategy: how they create private chats.
        retry: what they do when the database refuses.
        limits: what sessions may do.
        schema: which tables there are.
        rngs: chance, for each.
        host: where they listen; the host of each one's machine when None.
        port: the first one's port, the others' follow; any free ones when 0.
        texts: how they keep messages; as the schema does by default when None.
        sharing: how they know of each other's users and reach each other; as is usual on the platform when None.

    Raises:
        WorldError: the connections, the addresses, or locks that the strategy needs, can't be had.
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
                network=platform.at(name),
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
