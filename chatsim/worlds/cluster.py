"""A cluster: several nodes and a status server in one process, on MySQL or in the model."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
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
from chatsim.db.session import Database
from chatsim.worlds.service import ChatService
from chatsim.worlds.world import Platform, SessionTimeouts, Shared, Sharing, WorldError

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
    _start: Callable[[int], Awaitable[None]]
    _killed: list[Stats] = field(default_factory=list)

    async def crash(self, number: int, down: float) -> None:
        """Kill a node, and start another one with its name ``down`` seconds later, at a new address."""
        await self.nodes[number].kill()
        self._killed.append(self.nodes[number].stats)
        await asyncio.sleep(down)
        await self._start(number)

    @property
    def stats(self) -> Stats:
        """The counts of all nodes together, with those that were killed."""
        return Stats.sum([*self._killed, *(node.stats for node in self.nodes)])


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
    configs = [
        NodeConfig(
            strategy=strategy,
            retry=retry,
            isolation=strategy.isolation,
            texts=texts or TEXTS[schema],
            limits=limits,
            rng=rng,
        )
        for rng in rngs
    ]
    dead = MISSED_REPORTS * limits.report
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(platform.shared(sharing, expiry=limits.expiry, dead=dead))
        timeouts = SessionTimeouts.of_node(limits)
        pools = [
            await stack.enter_async_context(platform.database(pool, _name(number), timeouts)) for number in range(nodes)
        ]
        starter = _Starter(stack, platform, shared, configs, pools, callers=nodes * pool, host=host, port=port)
        for number in range(nodes):
            await starter.start(number)
        status = StatusServer(shared.directory, shared.tokens)
        yield Cluster(status, platform, starter.nodes, shared.presence(_STATUS), starter.start)


def _name(number: int) -> str:
    return f"node{number + 1}"


class _Starter:
    """Starts the nodes of a cluster, and starts them again after they were killed.

    Args:
        stack: ends the nodes at the end of the cluster.
        platform: where they run.
        shared: what they share.
        configs: the configuration of each node.
        pools: the database connections of each node.
        callers: how many creations may want a lock at once.
        host, port: where they listen; see `cluster`.

    Attributes:
        nodes: the nodes, each the latest one of its number.
    """

    def __init__(
        self,
        stack: AsyncExitStack,
        platform: Platform,
        shared: Shared,
        configs: Sequence[NodeConfig],
        pools: Sequence[Database],
        *,
        callers: int,
        host: str | None,
        port: int,
    ) -> None:
        self.nodes: list[Node] = []
        self._stack = stack
        self._platform = platform
        self._shared = shared
        self._configs = configs
        self._pools = pools
        self._callers = callers
        self._host = host
        self._port = port
        self._stacks: dict[int, AsyncExitStack] = {}  # what ends the latest node of each number

    async def start(self, number: int) -> None:
        """Start a node. Raises `WorldError`."""
        name, config, shared, platform = _name(number), self._configs[number], self._shared, self._platform
        if number in self._stacks:  # it has been killed
            await self._stacks[number].aclose()
        services = Services(
            network=platform.network_at(name),
            database=self._pools[number],
            tokens=shared.tokens,
            presence=shared.presence(name),
            directory=shared.directory,
            peers=shared.peers.of(name),
            locks=await platform.locks(self._callers, name) if config.strategy.uses_locks else None,
            files=platform.files,
        )
        node = Node(name, services, config)
        stack = self._stacks[number] = await self._stack.enter_async_context(AsyncExitStack())
        await stack.enter_async_context(shared.peers.serve(name, node))
        address = Address(self._host or platform.host(name), self._port and self._port + number)
        await stack.enter_async_context(listening(node, address))
        self.nodes[number:] = [node, *self.nodes[number + 1 :]]
