"""The `Presence` and `Directory` ports in memory, and the `Peers` port among nodes of one process."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from chatsim.chat.ports import Device, NodeStatus, Peer
from chatsim.chat.protocol import Message

__all__ = ["MemoryDirectory", "MemoryPresence", "ProcessPeers"]


class MemoryPresence:
    """The `Presence` port for the nodes of one process.

    Args:
        expiry: the seconds after which an entry expires if it is not refreshed.
    """

    def __init__(self, expiry: float) -> None:
        self._expiry = expiry
        self._until: OrderedDict[Device, float] = OrderedDict()  # the next to expire is first
        self._users: dict[int, dict[Device, None]] = {}

    def forget(self) -> None:
        """Lose all entries, as a store does that was killed."""
        self._until.clear()
        self._users.clear()

    async def enter(self, device: Device, *, alone: bool) -> Sequence[Device]:
        """Store a login; see `chatsim.chat.ports.Presence.enter`."""
        others = await self.find(device.uid) if alone else []
        for other in others:
            self._remove(other)
        self._users.setdefault(device.uid, {})[device] = None
        self._until[device] = self._now() + self._expiry
        return others

    async def refresh(self, devices: Sequence[Device]) -> Sequence[Device]:
        """Renew entries. Returns those that do not exist."""
        self._lapse()
        there = [device for device in devices if device in self._until]
        for device in there:
            self._until[device] = self._now() + self._expiry
            self._until.move_to_end(device)
        return [device for device in devices if device not in self._until]

    async def leave(self, device: Device) -> None:
        """Remove an entry."""
        if device in self._until:
            self._remove(device)

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        self._lapse()
        return list(self._users.get(uid, ()))

    def _lapse(self) -> None:
        now = self._now()
        while self._until and next(iter(self._until.values())) <= now:
            self._remove(next(iter(self._until)))

    def _remove(self, device: Device) -> None:
        del self._until[device]
        of_user = self._users[device.uid]
        del of_user[device]
        if not of_user:
            del self._users[device.uid]

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


class MemoryDirectory:
    """The `Directory` port for a status server in the same process.

    Args:
        expiry: the seconds after which a node that doesn't report counts as dead.
    """

    def __init__(self, expiry: float) -> None:
        self._expiry = expiry
        self._nodes: dict[str, tuple[NodeStatus, float]] = {}

    async def announce(self, node: NodeStatus) -> None:
        """Store the report of a node."""
        self._nodes[node.name] = (node, asyncio.get_running_loop().time() + self._expiry)

    async def withdraw(self, name: str) -> None:
        """Remove a node."""
        self._nodes.pop(name, None)

    async def nodes(self) -> Sequence[NodeStatus]:
        """The live nodes, by name."""
        now = asyncio.get_running_loop().time()
        return [node for _, (node, until) in sorted(self._nodes.items()) if until > now]


class ProcessPeers:
    """The `Peers` port for nodes of one process, which call each other directly.

    Attributes:
        nodes: the nodes by name.
    """

    address = None  # they need no address

    def __init__(self) -> None:
        self.nodes: dict[str, Peer] = {}

    def of(self, name: str) -> ProcessPeers:  # noqa: ARG002 - they all have the same
        """The `Peers` port of the node ``name``."""
        return self

    @asynccontextmanager
    async def serve(self, name: str, node: Peer) -> AsyncIterator[None]:
        """Serve the calls that peers make to the node ``name`` for the block."""
        self.nodes[name] = node
        try:
            yield
        finally:
            del self.nodes[name]

    async def kick(self, device: Device) -> None:
        """Tell the device's node, if it is one of these."""
        if node := self.nodes.get(device.node):
            await node.kicked(device)

    async def push(self, device: Device, notice: Message) -> None:
        """Tell the device's node, if it is one of these."""
        if node := self.nodes.get(device.node):
            await node.pushed(device, notice)
