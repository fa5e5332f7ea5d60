"""A modelled Redis: one core on a host of its own, with keys that expire. It has the locks and the presence."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from chatsim.chat.ports import LocksError, RegistryError
from chatsim.simulation.loop import current_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from chatsim.chat.ports import Device
    from chatsim.simulation.cpu import Processor
    from chatsim.worlds.common.presence import MemoryPresence
    from chatsim.worlds.model.costs import RedisCosts
    from chatsim.worlds.model.network import ModelNetwork

__all__ = ["ModelKeys", "ModelPresence", "ModelRedis"]

_HOST = "redis"


class ModelRedis:
    """The server. A command crosses the network, waits for the one core, and its answer crosses the network back.

    Args:
        network: connects it with those who ask.
        costs: what a command takes.
        cpu: its core.

    Attributes:
        cpu: as given.
    """

    def __init__(self, network: ModelNetwork, costs: RedisCosts, cpu: Processor) -> None:
        self.cpu = cpu
        self._network = network
        self._costs = costs
        self._values: dict[str, tuple[str, float]] = {}  # each with the time when it expires
        self._held: list[MemoryPresence] = []
        self._running = True
        self._kills = 0

    def hold(self, presence: MemoryPresence) -> None:
        """Hold these entries, which are lost when the server is killed."""
        self._held.append(presence)

    def kill(self) -> None:
        """Kill it. Nothing is on disk, so that all is lost; until it starts again, every command fails."""
        self._running = False
        self._kills += 1
        self._values.clear()
        for presence in self._held:
            presence.forget()

    def start(self) -> None:
        """Start it again, empty."""
        self._running = True

    @asynccontextmanager
    async def ask(self, host: str, refused: type[Exception]) -> AsyncIterator[None]:
        """Send a command from ``host``. The block is what the command does; it runs when the core has done its work.

        Args:
            host: the host that sends the command.
            refused: the exception to raise, instead of running the block, when the server is down.
        """
        await self._network.transit(host, _HOST)
        kills = self._kills
        if self._running:
            await self.cpu.work(self._costs.command)
        if not self._running or self._kills != kills:
            await self._network.transit(_HOST, host)
            raise refused("Redis can't be used: it has been killed")
        yield
        await self._network.transit(_HOST, host)

    def get(self, key: str) -> str | None:
        """The value of a key, at the server, now."""
        value, expires = self._values.get(key, ("", 0.0))
        return value if expires > current_loop().time() else None

    def set(self, key: str, value: str, seconds: float) -> None:
        """Set a key, at the server, now."""
        self._values[key] = (value, current_loop().time() + seconds)

    def delete(self, key: str) -> None:
        """Delete a key, at the server, now."""
        self._values.pop(key, None)


class ModelKeys:
    """The keys of `PollingLocks`, as seen from a host."""

    def __init__(self, redis: ModelRedis, host: str) -> None:
        self._redis = redis
        self._host = host

    async def set_if_absent(self, key: str, value: str, seconds: int) -> bool:
        """Set a key, if it does not exist. Returns whether it was set."""
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
    """The `Presence` port of one host. The entries are in the Redis, a round trip away.

    Args:
        redis: the server.
        host: whose commands these are.
        entries: what the Redis holds; the same object for all hosts.
    """

    def __init__(self, redis: ModelRedis, host: str, entries: MemoryPresence) -> None:
        self._redis = redis
        self._host = host
        self._entries = entries

    async def enter(self, device: Device, *, alone: bool) -> Sequence[Device]:
        """Note a login; see `chatsim.chat.ports.Presence.enter`."""
        async with self._redis.ask(self._host, RegistryError):
            return await self._entries.enter(device, alone=alone)

    async def refresh(self, devices: Sequence[Device]) -> Sequence[Device]:
        """Keep entries from expiring. Returns those that do not exist."""
        async with self._redis.ask(self._host, RegistryError):
            return await self._entries.refresh(devices)

    async def leave(self, device: Device) -> None:
        """Remove an entry."""
        async with self._redis.ask(self._host, RegistryError):
            await self._entries.leave(device)

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        async with self._redis.ask(self._host, RegistryError):
            return await self._entries.find(uid)
