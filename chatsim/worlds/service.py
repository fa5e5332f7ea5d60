"""How clients log in: the status server chooses a node, and they connect to it. It works on MySQL and in the model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from chatsim.chat.client.connection import DEADLINE, Client, DisconnectedError
from chatsim.chat.client.messenger import LogIn
from chatsim.chat.ports import Address, RegistryError
from chatsim.chat.protocol import LoginReply, Message
from chatsim.chat.server.status import NoNodeError, StatusServer, Ticket
from chatsim.worlds.world import Platform

__all__ = ["ChatService"]


@dataclass(frozen=True)
class ChatService:
    """Nodes, and the status server that sends clients to them.

    Attributes:
        status: the status server.
        platform: where the clients run.
    """

    status: StatusServer
    platform: Platform

    async def log_in(
        self, uid: int, address: Address | None = None, *, deadline: float, machine: str = "client"
    ) -> Client:
        """Log ``uid`` in from ``machine``, at ``address``, or at the node that the status server chooses.

        Raises:
            DisconnectedError, LateError, RefusedError: the login has failed.
        """
        client, _ = await self._log_in(uid, address, deadline=deadline, machine=machine)
        return client

    def login_for(
        self, uid: int, address: Address | None = None, *, deadline: float = DEADLINE, machine: str = "client"
    ) -> LogIn:
        """The function with which a messenger of ``uid`` on ``machine`` logs in, also again after a lost connection."""

        async def log_in(pushed: Callable[[Message], None]) -> tuple[Client, LoginReply]:
            return await self._log_in(uid, address, deadline=deadline, machine=machine, pushed=pushed)

        return log_in

    async def _log_in(
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
            client = await Client.connect(
                self.platform.network_at(machine), ticket.address, deadline=deadline, pushed=pushed
            )
        except DisconnectedError:
            with suppress(RegistryError):  # another client will report it
                await self.status.unreachable(ticket.address)
            raise
        try:
            profile = await client.log_in(uid, ticket.token, feed=pushed is not None)
        except BaseException:
            await client.close()
            raise
        return client, profile
