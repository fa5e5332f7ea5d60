"""A Redis, modelled: one core on a host of its own, keys that expire; locks and presence are in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from chatsim.chat.ports import LocksError, RegistryError
from chatsim.simulation.cpu import Machine
from chatsim.simulation.loop import current_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from chatsim.chat.ports import Device
    from chatsim.worlds.inprocess.presence import MemoryPresence
    from chatsim.worlds.model.costs import RedisCosts
    from chatsim.worlds.model.network import ModelNetwork

__all__ = ["ModelKeys", "ModelPresence", "ModelRedis"]

_HOST = "redis"


class ModelRedis:
    """The server: what it is asked crosses the network, waits for its one core, and goes back.

    Args:
        network: what lies between it and who asks.
        costs: what a command takes.

    Attributes:
        machine: its core.
    """

    def __init__(self, network: ModelNetwork, costs: RedisCosts) -> None:
        self.machine = Machine(1)
        self._network = network
        self._costs = costs
        self._values: dict[str, tuple[str, float]] = {}  # and when each lapses
        self._kept: list[MemoryPresence] = []
        self._running = True
        self._kills = 0

    def keep(self, presence: MemoryPresence) -> None:
        """Have presence be lost with the server."""
        self._kept.append(presence)

    def kill(self) -> None:
        """End it; it has nothing on disk. Until it starts again, who asks is refused."""
        self._running = False
        self._kills += 1
        self._values.clear()
        for presence in self._kept:
            presence.forget()

    def start(self) -> None:
        """Begin anew, empty."""
        self._running = True

    @asynccontextmanager
    async def ask(self, host: str, refused: type[Exception]) -> AsyncIterator[None]:
        """Have a command from ``host`` reach the server; the block is what it does, at once, when its core has time.

        Args:
            host: who asks.
            refused: what is raised when the server is not there; the block is not done then.
        """
        await self._network.line(host, _HOST).cross()
        kills = self._kills
        if self._running:
            await self.machine.work(self._costs.command)
        if not self._running or self._kills != kills:
            await self._network.line(_HOST, host).cross()
            raise refused("Redis can't be used: it has been killed")
        yield
        await self._network.line(_HOST, host).cross()

    def get(self, key: str) -> str | None:
        """The value of a key, at the server, now."""
        value, lapses = self._values.get(key, ("", 0.0))
        return value if lapses > current_loop().time() else None

    def set(self, key: str, value: str, seconds: float) -> None:
        """Set a key, at the server, now."""
        self._values[key] = (value, current_loop().time() + seconds)

    def delete(self, key: str) -> None:
        """Delete a key, at the server, now."""
        self._values.pop(key, None)


class ModelKeys:
    """The store of `PollingLocks`, as seen from a host."""

    def __init__(self, redis: ModelRedis, host: str) -> None:
        self._redis = redis
        self._host = host

    async def set_if_absent(self, key: str, value: str, seconds: int) -> bool:
        """Set a key that is not there; whether it was not."""
        async with self._redis.ask(self._host, LocksError):
            absent = self._redis.get(key) is None
            if absent:
                self._redis.set(key, value, seconds)
        return absent

    async def delete_if(self, key: str, value: str) -> None:
        """Delete a key, if it has that value."""
        async with self._redis.ask(self._host, LocksError):
            if self._redis.get(key) == value:
                self._redis.delete(key)


class ModelPresence:
    """The `Presence` port of one host: who is where, kept in the Redis, a round trip away.

    Args:
        redis: the server.
        host: from where it is asked.
        kept: what it keeps; the same for all hosts.
    """

    def __init__(self, redis: ModelRedis, host: str, kept: MemoryPresence) -> None:
        self._redis = redis
        self._host = host
        self._kept = kept

    async def enter(self, device: Device, *, alone: bool) -> Sequence[Device]:
        """Note a login; see `chatsim.chat.ports.Presence.enter`."""
        async with self._redis.ask(self._host, RegistryError):
            return await self._kept.enter(device, alone=alone)

    async def refresh(self, devices: Sequence[Device]) -> Sequence[Device]:
        """Keep entries from lapsing; returns those that are not there."""
        async with self._redis.ask(self._host, RegistryError):
            return await self._kept.refresh(devices)

    async def leave(self, device: Device) -> None:
        """Take an entry away."""
        async with self._redis.ask(self._host, RegistryError):
            await self._kept.leave(device)

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        async with self._redis.ask(self._host, RegistryError):
            return await self._kept.find(uid)
