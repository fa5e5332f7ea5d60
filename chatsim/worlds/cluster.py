"""Several nodes and a status server in one process, in either world."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import numpy as np

from chatsim.chat.client.connection import DEADLINE, Client, DisconnectedError
from chatsim.chat.client.messenger import Enter
from chatsim.chat.creation import CreationStrategy
from chatsim.chat.ports import Address, Presence, RegistryError
from chatsim.chat.protocol import LoginReply, Message
from chatsim.chat.retry import Retry
from chatsim.chat.server.creator import Creator
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.node import Node, Services
from chatsim.chat.server.stats import Stats
from chatsim.chat.server.status import NoNodeError, StatusServer, Ticket
from chatsim.chat.server.store.texts import TEXTS, Texts
from chatsim.worlds.world import Sharing, Site, WorldError

__all__ = ["MISSED_REPORTS", "Cluster", "cluster", "listening"]

_STATUS = "status"
"""The status server's machine."""

MISSED_REPORTS = 3
"""A node that has missed so many counts as dead."""


@dataclass(frozen=True)
class Cluster:
    """Nodes that run.

    Attributes:
        nodes: the nodes.
        status: the status server.
        presence: which node a user is on.
        site: where they and their clients run.
    """

    nodes: Sequence[Node]
    status: StatusServer
    presence: Presence
    site: Site

    async def log_in(
        self, uid: int, address: Address | None = None, *, deadline: float, machine: str = "client"
    ) -> Client:
        """A client of ``uid`` on ``machine``, logged in at ``address``, or where the status server sends it.

        Raises:
            DisconnectedError, LateError, RefusedError: it could not be.
        """
        client, _ = await self._enter(uid, address, deadline=deadline, machine=machine)
        return client

    def door(
        self, uid: int, address: Address | None = None, *, deadline: float = DEADLINE, machine: str = "client"
    ) -> Enter:
        """How a messenger of ``uid`` on ``machine`` connects."""

        async def enter(pushed: Callable[[Message], None]) -> tuple[Client, LoginReply]:
            return await self._enter(uid, address, deadline=deadline, machine=machine, pushed=pushed)

        return enter

    async def _enter(
        self,
        uid: int,
        address: Address | None,
        *,
        deadline: float,
        machine: str,
        pushed: Callable[[Message], None] | None = None,
    ) -> tuple[Client, LoginReply]:
        try:
            ticket = Ticket(address, await self.status.token(uid)) if address else await self.status.send(uid)
        except (NoNodeError, RegistryError) as error:
            raise DisconnectedError(str(error)) from error
        try:
            client = await Client.connect(self.site.at(machine), ticket.address, deadline=deadline, pushed=pushed)
        except DisconnectedError:
            await self.status.unreachable(ticket.address)
            raise
        try:
            profile = await client.log_in(uid, ticket.token, feed=pushed is not None)
        except BaseException:
            await client.close()
            raise
        return client, profile

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
    site: Site,
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
        site: where they run; its tables are there.
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
        sharing: how they know of each other's users and reach each other; as is usual on the site when None.

    Raises:
        WorldError: the connections, the addresses, or locks that the strategy needs, can't be had.
    """
    dead = MISSED_REPORTS * limits.report
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(site.shared(sharing, expiry=limits.expiry, dead=dead))
        running: list[Node] = []
        for number, rng in enumerate(rngs[:nodes]):
            name = f"node{number + 1}"
            database = await stack.enter_async_context(site.database(pool, name))
            services = Services(
                site.at(name), database, shared.tokens, shared.presence(name), shared.directory, shared.peers.of(name)
            )
            locks = await site.locks(nodes * pool, name) if strategy.uses_locks else None
            node = Node(
                name,
                services,
                creator=Creator(strategy, retry, locks, rng),
                texts=texts or TEXTS[schema],
                limits=limits,
                rng=rng,
            )
            await stack.enter_async_context(shared.peers.heard(name, node))
            running.append(
                await stack.enter_async_context(
                    listening(node, Address(host or site.host(name), port and port + number))
                )
            )
        yield Cluster(running, StatusServer(shared.directory, shared.tokens), shared.presence(_STATUS), site)
