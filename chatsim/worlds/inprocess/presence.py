"""The `Presence` and `Directory` ports in memory, and the `Peers` port among nodes of one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from chatsim.chat.ports import Device, NodeStatus

__all__ = ["MemoryDirectory", "MemoryPresence", "ProcessPeers"]


class MemoryPresence:
    """Who is where, for the nodes of one process.

    Args:
        expiry: the seconds after which an entry that nobody refreshes has lapsed.
    """

    def __init__(self, expiry: float) -> None:
        self._expiry = expiry
        self._users: dict[int, dict[Device, float]] = {}  # until when each is good

    async def enter(self, device: Device, *, alone: bool) -> Sequence[Device]:
        """Note a login; see `chatsim.chat.ports.Presence.enter`."""
        others = self._live(device.uid)
        if not alone:
            self._users[device.uid] = {**others, device: self._until()}
            return []
        self._users[device.uid] = {device: self._until()}
        return list(others)

    async def refresh(self, device: Device) -> bool:
        """Keep an entry from lapsing; False when there is none any more."""
        entries = self._live(device.uid)
        if device not in entries:
            return False
        entries[device] = self._until()
        return True

    async def leave(self, device: Device) -> None:
        """Take an entry away."""
        entries = self._live(device.uid)
        entries.pop(device, None)
        if not entries:
            self._users.pop(device.uid, None)

    async def find(self, uid: int) -> Sequence[Device]:
        """The user's sessions, oldest first."""
        return list(self._live(uid))

    def _live(self, uid: int) -> dict[Device, float]:
        now = asyncio.get_running_loop().time()
        live = {device: until for device, until in self._users.get(uid, {}).items() if until > now}
        if live:
            self._users[uid] = live
        else:
            self._users.pop(uid, None)
        return live

    def _until(self) -> float:
        return asyncio.get_running_loop().time() + self._expiry


class MemoryDirectory:
    """Which nodes there are, for a status server in the same process.

    Args:
        expiry: the seconds after which a node that doesn't report counts as dead.
    """

    def __init__(self, expiry: float) -> None:
        self._expiry = expiry
        self._nodes: dict[str, tuple[NodeStatus, float]] = {}

    async def announce(self, node: NodeStatus) -> None:
        """Note a node's report."""
        self._nodes[node.name] = (node, asyncio.get_running_loop().time() + self._expiry)

    async def withdraw(self, name: str) -> None:
        """Take a node away."""
        self._nodes.pop(name, None)

    async def nodes(self) -> Sequence[NodeStatus]:
        """The live nodes, by name."""
        now = asyncio.get_running_loop().time()
        return [node for _, (node, until) in sorted(self._nodes.items()) if until > now]


class ProcessPeers:
    """Nodes of one process, which call each other.

    Attributes:
        kicked: for each node's name, what it does about a session that has given way.
    """

    def __init__(self) -> None:
        self.kicked: dict[str, Callable[[Device], Awaitable[None]]] = {}

    async def kick(self, device: Device) -> None:
        """Tell the device's node, if it is one of these."""
        if kicked := self.kicked.get(device.node):
            await kicked(device)
