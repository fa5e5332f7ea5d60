"""The status server as the source's StatusService, over gRPC (docs/source.md, 1.5 X1 and 3.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from chatsim.chat.ports import Address, RegistryError
from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.status import NoNodeError, StatusServer
from chatsim.chat.server.store import profiles
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Database
from chatsim.worlds.common.peers_pb2 import GetChatServerReq, GetChatServerRsp
from chatsim.worlds.mysql.grpc_peers import serving, unary

__all__ = ["status_service"]

_SERVICE = "message.StatusService"


@asynccontextmanager
async def status_service(status: StatusServer, database: Database) -> AsyncIterator[Address]:
    """Serve ``GetChatServer`` on loopback for the block. Yields the address.

    Every caller gets a token for any user that there is. In the source the caller is the gate server, which has checked
    the password. The error is 1011 if there is no such user, and 1002 if there is no node, or if the user can't be
    looked up.

    Args:
        status: chooses the node, and issues the token.
        database: has the users.
    """

    async def get_chat_server(request: Any) -> Any:
        try:
            async with database.session() as tx:
                if not await profiles.exists(tx, request.uid):
                    return GetChatServerRsp(error=ErrorCode.UID_INVALID)
            ticket = await status.send(request.uid)
        except (NoNodeError, RegistryError, DatabaseError):
            return GetChatServerRsp(error=ErrorCode.RPC_FAILED)
        return GetChatServerRsp(host=ticket.address.host, port=str(ticket.address.port), token=ticket.token)

    method = unary(GetChatServerReq, GetChatServerRsp, get_chat_server)
    async with serving(_SERVICE, {"GetChatServer": method}) as address:
        yield address
