"""The site `model`: machines on hosts of their own, the network between them, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np

from chatsim.simulation.cpu import Machine
from chatsim.simulation.links import Constant, Link, Lognormal
from chatsim.simulation.loop import current_loop
from chatsim.worlds.inprocess.locks import PollingLocks
from chatsim.worlds.inprocess.presence import MemoryDirectory, MemoryPresence, ProcessPeers
from chatsim.worlds.inprocess.tokens import SignedTokens
from chatsim.worlds.model.local_store import ModelStore
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.model.peers import LinkPeers
from chatsim.worlds.model.redis import ModelKeys, ModelPresence, ModelRedis
from chatsim.worlds.model.service_time import WorkedNetwork
from chatsim.worlds.world import Shared, Sharing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from chatsim.chat.ports import Locks, Network, Peer
    from chatsim.db.session import Database
    from chatsim.worlds.model.costs import ModelCosts
    from chatsim.worlds.world import Distance

__all__ = ["ModelSite"]

_EPOCH = 1_700_000_000.0
"""The wall time at the beginning of every run, so that tokens are the same in each."""


class ModelSite:
    """The `Site` of a model; each machine is a host of the same name.

    Args:
        costs: what things cost.
        seed: of the latencies, and of the tokens' key.
        database: makes a pool of so many connections from a machine.

    Attributes:
        network: what lies between the machines.
        machines: those that listen, by name.
        redis: where locks are, and who is where.
        tokens: the proofs of a login.
        memory: chance for what of the database is not in memory.
    """

    name = "model"

    def __init__(
        self, costs: ModelCosts, *, seed: int, database: Callable[[int, str], AbstractAsyncContextManager[Database]]
    ) -> None:
        latencies, self._chance, self.memory = (
            np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(3)
        )
        self._clock = current_loop().time
        self.network = ModelNetwork(costs.network, rng=latencies)
        self.machines: dict[str, Machine] = {}
        self.tokens = SignedTokens(self._chance.bytes(32), self.wall_time)
        self.redis = ModelRedis(self.network, costs.redis)
        self._costs = costs.node
        self._store = costs.store
        self._service = costs.node.by_id
        self._database = database

    def wall_time(self) -> float:
        """Seconds since the epoch."""
        return _EPOCH + self._clock()

    def local_store(self, path: str) -> ModelStore:
        """SQLite, its time charged."""
        return ModelStore(path, self._store)

    def at(self, machine: str) -> Network:
        """The network as seen from ``machine``, which does the work of what its listeners are asked."""

        def working() -> Machine:
            return self.machines.setdefault(machine, Machine(self._costs.cores))

        return WorkedNetwork(self.network.host(machine), working, self._service)

    def remove(self, machine: str, distance: Distance) -> None:
        """Put it at the end of links of its own."""
        delay = distance.rtt / 2
        latency = Lognormal(delay, distance.jitter) if distance.jitter else Constant(delay)
        self.network.remove(machine, Link(latency, distance.bandwidth))

    def host(self, machine: str) -> str:
        """Its name."""
        return machine

    def database(self, connections: int, machine: str = "client") -> AbstractAsyncContextManager[Database]:
        """A pool of so many connections from a machine."""
        return self._database(connections, machine)

    @asynccontextmanager
    async def shared(self, sharing: Sharing | None, *, expiry: float, dead: float) -> AsyncIterator[Shared]:
        """Who is where, in the Redis; each node is a host, and they reach each other over the network.

        Tokens are signed, and reports are in the status server's memory, in either way.
        """
        sharing = sharing or Sharing("redis", "grpc")
        kept = MemoryPresence(expiry)
        in_redis = sharing.registry == "redis"
        if in_redis:
            self.redis.keep(kept)
        yield Shared(
            self.tokens,
            lambda machine: ModelPresence(self.redis, machine, kept) if in_redis else kept,
            MemoryDirectory(dead),
            _ModelPeers(self.network) if sharing.peers == "grpc" else ProcessPeers(),
        )

    async def crash_redis(self, down: float) -> None:
        """Kill the Redis, and start it again, empty, so many seconds later."""
        self.redis.kill()
        await asyncio.sleep(down)
        self.redis.start()

    async def locks(self, connections: int, machine: str = "client") -> Locks:  # noqa: ARG002 - they cost nothing
        """Locks in the Redis."""
        return PollingLocks(ModelKeys(self.redis, machine), lambda: self._chance.bytes(16).hex())


class _ModelPeers:
    def __init__(self, network: ModelNetwork) -> None:
        self._network = network
        self._peers: dict[str, LinkPeers] = {}

    def of(self, name: str) -> LinkPeers:
        if name not in self._peers:
            self._peers[name] = LinkPeers(self._network.host(name), name)
        return self._peers[name]

    def heard(self, name: str, node: Peer) -> AbstractAsyncContextManager[None]:
        return self.of(name).heard(node)
