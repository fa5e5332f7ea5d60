"""The status server: sends a login to the least loaded live node, with a token that proves it was sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from chatsim.chat.ports import Address, Directory, NodeStatus, Tokens

__all__ = ["NoNodeError", "StatusServer", "Ticket"]


class NoNodeError(Exception):
    """No node is live."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where to log in, and the token to do it with."""

    address: Address
    token: str


class StatusServer:
    """Knows the live nodes, and how many are logged in on each.

    A node reports its load now and then; between two reports the logins that were sent to it count as load, too, so
    that a crowd spreads (the source's went to one server until the next report: docs/source.md, N1).

    Args:
        directory: where nodes report.
        tokens: what issues tokens.
    """

    def __init__(self, directory: Directory, tokens: Tokens) -> None:
        self._directory = directory
        self._tokens = tokens
        self._sent: Counter[str] = Counter()  # logins since the node's last report
        self._reports: dict[str, NodeStatus] = {}
        self._unreachable: set[str] = set()

    async def send(self, uid: int) -> Ticket:
        """Where ``uid`` is to log in.

        Raises:
            NoNodeError: nowhere.
            RegistryError: nobody knows.
        """
        nodes = [node for node in await self._news() if node.name not in self._unreachable]
        if not nodes:
            raise NoNodeError("no chat server is live")
        best = min(nodes, key=lambda node: (node.sessions + self._sent[node.name], node.name))
        self._sent[best.name] += 1
        return Ticket(best.address, await self.token(uid))

    async def token(self, uid: int) -> str:
        """A token for a client that knows where to go."""
        return await self._tokens.issue(uid)

    async def unreachable(self, address: Address) -> None:
        """A client could not reach the node at ``address``: nobody is sent there until it reports again."""
        self._unreachable |= {node.name for node in await self._news() if node.address == address}

    async def live(self) -> Mapping[str, int]:
        """How many are logged in on each live node, as last reported."""
        return {node.name: node.sessions for node in await self._news()}

    async def _news(self) -> list[NodeStatus]:
        """The live nodes; what was noted of one is forgotten when it has reported since."""
        nodes = list(await self._directory.nodes())
        for node in nodes:
            if (seen := self._reports.get(node.name)) is not node and seen != node:
                self._sent[node.name] = 0
                self._unreachable.discard(node.name)
        self._reports = {node.name: node for node in nodes}
        return nodes
