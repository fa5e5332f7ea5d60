"""The platform of the model: machines, each on a host of its own, and the network between them, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import numpy as np

from chatsim.simulation.cpu import CPU, Processor
from chatsim.simulation.links import Constant, Link, Lognormal
from chatsim.simulation.loop import current_loop
from chatsim.simulation.run_queues import Interpreter, SharedCPU, Waking
from chatsim.worlds.common.locks import PollingLocks
from chatsim.worlds.common.presence import MemoryDirectory, MemoryPresence, ProcessPeers
from chatsim.worlds.common.tokens import SignedTokens
from chatsim.worlds.model.files import ModelFiles
from chatsim.worlds.model.local_store import ModelStore
from chatsim.worlds.model.network import ModelNetwork
from chatsim.worlds.model.peers import LinkPeers
from chatsim.worlds.model.redis import ModelKeys, ModelPresence, ModelRedis
from chatsim.worlds.model.service_time import ServiceTimeNetwork
from chatsim.worlds.world import CALLERS, Shared, Sharing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from chatsim.chat.ports import Locks, Network, Peer
    from chatsim.db.session import Database
    from chatsim.worlds.model.costs import ModelCosts
    from chatsim.worlds.world import Distance, SessionTimeouts

__all__ = ["ModelPlatform"]

_EPOCH = 1_700_000_000.0
"""The wall time at the beginning of every run: tokens have a date in them, and are to be the same in each run."""


class ModelPlatform:
    """The `Platform` of a model; each machine is a host of the same name.

    Args:
        costs: what things cost.
        seed: of the latencies, and of the key of the tokens.
        database: makes a pool with a number of connections from a machine, with timeouts.

    Attributes:
        network: connects the machines.
        cores: those of the one machine that everything shares; None if each machine has its own.
        interpreter: does the work of clients and nodes, one piece after the other, if they share a machine.
        cpus: the processors of the machines that listen, by the machine's name, if each has its own.
        redis: has the locks, and the presence of users.
        tokens: the proofs of a login.
        files: the bytes of attachments.
        cache_misses: the random generator that decides which records are not in the database's memory.
    """

    name = "model"

    def __init__(
        self,
        costs: ModelCosts,
        *,
        seed: int,
        database: Callable[[int, str, SessionTimeouts | None], AbstractAsyncContextManager[Database]],
    ) -> None:
        latencies, self._chance, self.cache_misses, scheduler = (
            np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(4)
        )
        self._clock = current_loop().time
        self.network = ModelNetwork(costs.network, rng=latencies)
        self.cores = SharedCPU(costs.machine.cores, scheduler) if costs.machine.cores else None
        waking = Waking(costs.client.wake, costs.client.cold)
        self.interpreter = None if self.cores is None else Interpreter(self.cores, waking)
        self.cpus: dict[str, CPU] = {}
        self.tokens = SignedTokens(self._chance.bytes(32), self.wall_time)
        self.redis = ModelRedis(self.network, costs.redis, Interpreter(self.cores) if self.cores else CPU(1))
        self.files = ModelFiles(costs.files)
        self._costs = costs.node
        self._store = costs.store
        self._service = costs.node.by_id
        self._database = database

    def wall_time(self) -> float:
        """Seconds since the epoch."""
        return _EPOCH + self._clock()

    def local_store(self, path: str) -> ModelStore:
        """SQLite, whose statements take virtual time."""
        return ModelStore(path, self._store, None if self.interpreter is None else self.interpreter.work)

    def network_at(self, machine: str) -> Network:
        """The network as seen from ``machine``, whose CPU does the work of the requests that its listeners get."""

        def cpu() -> Processor:
            return self.interpreter or self.cpus.setdefault(machine, CPU(self._costs.cores))

        return ServiceTimeNetwork(self.network.host(machine), cpu, self._service, self._costs.write, self._costs.byte)

    def place(self, machine: str, distance: Distance) -> None:
        """Put links of that latency and bandwidth between the machine and all others."""
        delay = distance.rtt / 2
        latency = Lognormal(delay, distance.jitter) if distance.jitter else Constant(delay)
        self.network.place(machine, Link(latency, distance.bandwidth))

    def host(self, machine: str) -> str:
        """The machine's name."""
        return machine

    def database(
        self, connections: int, machine: str = CALLERS, timeouts: SessionTimeouts | None = None
    ) -> AbstractAsyncContextManager[Database]:
        """A pool of connections from a machine."""
        return self._database(connections, machine, timeouts)

    @asynccontextmanager
    async def shared(self, sharing: Sharing | None, *, expiry: float, dead: float) -> AsyncIterator[Shared]:
        """By default presence is in the Redis, and nodes call each other over the network.

        Tokens are always signed, and the nodes' reports are always in the status server's memory.
        """
        sharing = sharing or Sharing("redis", "grpc")
        entries = MemoryPresence(expiry)
        in_redis = sharing.registry == "redis"
        if in_redis:
            self.redis.hold(entries)
        yield Shared(
            self.tokens,
            lambda machine: ModelPresence(self.redis, machine, entries) if in_redis else entries,
            MemoryDirectory(dead),
            _ModelPeers(self.network) if sharing.peers == "grpc" else ProcessPeers(),
        )

    async def crash_redis(self, down: float) -> None:
        """Kill the Redis, and start it again, empty, ``down`` seconds later."""
        self.redis.kill()
        await asyncio.sleep(down)
        self.redis.start()

    async def locks(self, connections: int, machine: str = CALLERS) -> Locks:  # noqa: ARG002 - they cost nothing
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

    def serve(self, name: str, node: Peer) -> AbstractAsyncContextManager[None]:
        return self.of(name).serve(node)
