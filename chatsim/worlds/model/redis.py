"""A Redis, modelled: one core on a host of its own, keys that expire; locks and presence are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsim.worlds.inprocess.presence import MemoryPresence
from chatsim.worlds.model.loop import current_loop
from chatsim.worlds.model.machines import Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatsim.chat.ports import Device
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

    async def reach(self, host: str) -> None:
        """Have a command from ``host`` reach the server and its core's work done."""
        await self._network.line(host, _HOST).cross()
        await self.machine.work(self._costs.command)

    async def reply(self, host: str) -> None:
        """Have the answer reach ``host``."""
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
        await self._redis.reach(self._host)
        absent = self._redis.get(key) is None
        if absent:
            self._redis.set(key, value, seconds)
        await self._redis.reply(self._host)
        return absent

    async def delete_if(self, key: str, value: str) -> None:
        """Delete a key, if it has that value."""
        await self._redis.reach(self._host)
        if self._redis.get(key) == value:
            self._redis.delete(key)
        await self._redis.reply(self._host)


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
        await self._redis.reach(self._host)
        others = await self._kept.enter(device, alone=alone)
        await self._redis.reply(self._host)
        return others

    async def refresh(self, devices: Sequence[Device]) -> Sequence[Device]:
        """Keep entries from lapsing; returns those that are not there."""
        await self._redis.reach(self._host)
        gone = await self._kept.refresh(devices)
        await self._redis.reply(self._host)
        return gone

    async def leave(self, device: Device) -> None:
        """Take an entry away."""
        await self._redis.reach(self._host)
        await self._kept.leave(device)
        await self._redis.reply(self._host)

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        await self._redis.reach(self._host)
        found = await self._kept.find(uid)
        await self._redis.reply(self._host)
        return found
