"""The status server: it sends each login to the live node with the fewest sessions, and issues the token for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from chatsim.chat.ports import Address, Directory, NodeStatus, Tokens

__all__ = ["NoNodeError", "StatusServer", "Ticket"]


class NoNodeError(Exception):
    """There is no live node."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The address at which to log in, and the token."""

    address: Address
    token: str


class StatusServer:
    """Knows the live nodes, and the number of sessions on each.

    Nodes report their sessions regularly. Between two reports, logins that were sent to a node count too, so that many
    logins at once are spread. (In the source they go to one server until the next report: docs/source.md, N1.)

    Args:
        directory: receives the reports of the nodes.
        tokens: issues tokens.
    """

    def __init__(self, directory: Directory, tokens: Tokens) -> None:
        self._directory = directory
        self._tokens = tokens
        self._sent: Counter[str] = Counter()  # logins since the node's last report
        self._reports: dict[str, NodeStatus] = {}
        self._unreachable: set[str] = set()

    async def send(self, uid: int) -> Ticket:
        """Choose the node at which ``uid`` is to log in.

        Raises:
            NoNodeError: there is no live node.
            RegistryError: the directory or the tokens can't be reached.
        """
        nodes = [node for node in await self._live_nodes() if node.name not in self._unreachable]
        if not nodes:
            raise NoNodeError("no chat server is live")
        best = min(nodes, key=lambda node: (node.sessions + self._sent[node.name], node.name))
        self._sent[best.name] += 1
        return Ticket(best.address, await self.token(uid))

    async def token(self, uid: int) -> str:
        """A token for a client that knows the address of its node."""
        return await self._tokens.issue(uid)

    async def unreachable(self, address: Address) -> None:
        """Note that a client could not reach the node at ``address``. No login goes there until it reports again."""
        self._unreachable |= {node.name for node in await self._live_nodes() if node.address == address}

    async def live(self) -> Mapping[str, int]:
        """The number of sessions on each live node, from its last report."""
        return {node.name: node.sessions for node in await self._live_nodes()}

    async def _live_nodes(self) -> list[NodeStatus]:
        """The live nodes. What was noted about a node is dropped when it has reported again."""
        nodes = list(await self._directory.nodes())
        for node in nodes:
            if (seen := self._reports.get(node.name)) is not node and seen != node:
                self._sent[node.name] = 0
                self._unreachable.discard(node.name)
        self._reports = {node.name: node for node in nodes}
        return nodes
