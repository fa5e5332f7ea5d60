"""The status server as the source's StatusService, over gRPC (docs/source.md, 1.5 X1 and 3.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from chatsim.chat.ports import Address, RegistryError
from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.status import NoNodeError, StatusServer
from chatsim.worlds.common.peers_pb2 import GetChatServerReq, GetChatServerRsp
from chatsim.worlds.mysql.grpc_peers import serving

__all__ = ["status_service"]

_SERVICE = "message.StatusService"


@asynccontextmanager
async def status_service(status: StatusServer) -> AsyncIterator[Address]:
    """Serve ``GetChatServer`` on loopback for the block. Yields the address. If there is no node, the error is 1002.

    Every caller gets a token for any user. In the source the caller is the gate server, which has checked the password.
    """

    async def get_chat_server(request: Any, _: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            ticket = await status.send(request.uid)
        except (NoNodeError, RegistryError):
            return GetChatServerRsp(error=ErrorCode.RPC_FAILED)
        return GetChatServerRsp(host=ticket.address.host, port=str(ticket.address.port), token=ticket.token)

    handler = grpc.unary_unary_rpc_method_handler(
        get_chat_server,
        request_deserializer=GetChatServerReq.FromString,
        response_serializer=GetChatServerRsp.SerializeToString,
    )
    async with serving(_SERVICE, {"GetChatServer": handler}) as address:
        yield address
